package revocation

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// What a hub answers but for success, in the error member.
const (
	codeUnavailable   = "temporarily_unavailable"
	codeUnknownCursor = "unknown_cursor"
	codeOldCursor     = "old_cursor"
	codeOtherInstance = "other_instance"
	codeBadRequest    = "invalid_request"
	codeTooLarge      = "too_large"
	codeTooMany       = "too_many_followers"
)

// errUnknownCursor is the answer to a cursor that was not handed out here, or
// before the feed began anew.
var errUnknownCursor = errors.New("revocation: cursor not known here")

// beats is how many heartbeats a follower is sent in the time of the bound.
const beats = 4

// ServeStream answers with the feed as server-sent events, from the cursor in
// Last-Event-ID or in the parameter after. It returns when the follower goes,
// cannot keep up, or ctx ends; streams must not outlive the server's shutdown, so
// ctx ends then. Who may ask is the caller's to decide.
//
// The hello has the cursor as its id if the stream goes on right behind it. If it
// has none, the cursor is one of another node and stands between two batches of
// this one: what comes first may in part be known.
func (h *Hub) ServeStream(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	after := r.Header.Get("Last-Event-ID")
	if q := r.URL.Query().Get("after"); after == "" {
		after = q
	}
	if checkCursor(after) != nil {
		refuse(w, http.StatusBadRequest, codeBadRequest, "after, Last-Event-ID: not a cursor")
		return
	}
	if !h.enter() {
		h.cfg.Count("feed", "too_many")
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, codeTooMany, errTooMany.Error())
		return
	}
	defer h.leave()
	h.mu.Lock()
	life, ready := h.life, h.last() != nil
	h.mu.Unlock()
	if !ready {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, codeUnavailable, "the node has not read the feed yet")
		return
	}
	number, where, err := h.locate(r.Context(), after)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, codeUnavailable, "the store's feed cannot be read")
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // proxies that buffer would hold back ends
	w.WriteHeader(http.StatusOK)
	s := &outlet{h: h, w: w, control: http.NewResponseController(w), number: number, life: life, after: h.exactly(after, number)}
	s.out = bufio.NewWriterSize(w, 4<<10)
	s.control.SetReadDeadline(time.Time{}) // the server's own would end the request
	if err := s.run(ctx, r.Context(), where == standsWithin); err != nil && r.Context().Err() == nil && ctx.Err() == nil {
		h.cfg.Count("feed", "cut")
		h.log.LogAttrs(ctx, slog.LevelInfo, "a follower's stream was cut", slog.Any("error", err))
	}
}

// exactly returns a cursor if it is that of a place, and otherwise none.
func (h *Hub) exactly(cursor string, number uint64) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n, ok := h.numbers[cursor]; ok && n == number {
		return cursor
	}
	return ""
}

// hello is the first event of a stream that goes on behind a cursor.
func (h *Hub) hello(after string) (Frame, error) {
	return (&Event{Name: EventHello, Cursor: after, Issuer: h.cfg.Issuer, Instance: h.instance, Bound: h.cfg.Bound}).Frame()
}

// enter counts a stream if there is room for one more.
func (h *Hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams >= h.cfg.MaxFollowers {
		return false
	}
	h.streams++
	return true
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
}

// outlet is one connection.
type outlet struct {
	h       *Hub
	w       http.ResponseWriter
	out     *bufio.Writer
	control *http.ResponseController
	sent    uint64 // events
	number  uint64 // of the last place that was sent
	life    uint64
	after   string // the cursor of that place, if the follower named it so
	scratch []byte
}

func (s *outlet) run(stop, gone context.Context, known bool) error {
	hello, err := s.h.hello(s.after)
	if err != nil {
		return err
	}
	if err := s.send(hello); err != nil {
		return err
	}
	if !known {
		return s.resync("the cursor is not known here")
	}
	beat := time.NewTimer(0) // at once: it tells the newest cursor
	defer beat.Stop()
	for {
		frames, wake, why := s.h.after(s.number, s.life)
		if why != "" {
			return s.resync(why)
		}
		for _, f := range frames {
			if err := s.write(f); err != nil {
				return err
			}
			s.number++
		}
		if len(frames) > 0 {
			if err := s.flush(); err != nil {
				return err
			}
			continue
		}
		select {
		case <-stop.Done():
			return s.flush()
		case <-gone.Done():
			return nil
		case <-wake:
		case <-beat.C:
			frame, err := s.h.heartbeat(s.number)
			if err != nil {
				return err
			}
			if frame != nil { // else there is something newer to send
				if err := s.send(frame); err != nil {
					return err
				}
			}
			beat.Reset(s.h.cfg.Bound / beats)
		}
	}
}

// batchesAtOnce bounds what is sent to one follower before it is looked at again
// whether it still belongs to the living feed.
const batchesAtOnce = 256

// after returns the frames behind a place, or a channel that is closed when there
// are more. Why says that the follower has to begin anew.
func (h *Hub) after(number, life uint64) (frames []Frame, wake <-chan struct{}, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case life != h.life:
		return nil, nil, "the feed began anew"
	case len(h.ring) == 0 || number < h.ring[0].number:
		return nil, nil, "too far behind"
	}
	at := int(number - h.ring[0].number + 1)
	for _, p := range h.ring[at:min(len(h.ring), at+batchesAtOnce)] {
		frames = append(frames, p.frame)
	}
	return frames, h.wake, ""
}

// heartbeat is an event without entries that names the cursor of a place, nil if
// that is not the newest.
func (h *Hub) heartbeat(number uint64) (Frame, error) {
	h.mu.Lock()
	last := h.last()
	if last == nil || last.number != number {
		h.mu.Unlock()
		return nil, nil
	}
	cursor := last.cursor
	h.mu.Unlock()
	return (&Event{Name: EventHeartbeat, Cursor: cursor, Issuer: h.cfg.Issuer, Instance: h.instance}).Frame()
}

func (s *outlet) resync(why string) error {
	s.h.cfg.Count("feed", "resync")
	frame, err := (&Event{Name: EventResync, Reason: why}).Frame()
	if err != nil {
		return err
	}
	return s.send(frame)
}

func (s *outlet) send(f Frame) error {
	if err := s.write(f); err != nil {
		return err
	}
	return s.flush()
}

// write puts one event into the buffer. A follower that does not read for as long
// as the bound is cut off.
func (s *outlet) write(f Frame) error {
	s.deadline()
	s.scratch = AppendNumber(s.scratch[:0], s.sent)
	s.sent++
	s.out.Write(s.scratch)
	_, err := s.out.Write(f)
	return err
}

func (s *outlet) flush() error {
	s.deadline()
	if err := s.out.Flush(); err != nil {
		return err
	}
	return s.control.Flush()
}

// deadline gives the connection the bound again. A server that has no deadlines
// closes slow followers by its own means.
func (s *outlet) deadline() {
	s.control.SetWriteDeadline(s.h.now().Add(s.h.cfg.Bound))
}

// ServeSnapshot answers with everything that is revoked, in one binary file, see
// [Set.WriteSnapshot].
func (h *Hub) ServeSnapshot(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	last := h.last()
	cursor := ""
	if last != nil {
		cursor = last.cursor
	}
	h.mu.Unlock()
	if cursor == "" {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, codeUnavailable, "the node has not read the feed yet")
		return
	}
	http.NewResponseController(w).SetWriteDeadline(h.now().Add(snapshotTime))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	if err := h.set.WriteSnapshot(w, h.age(), SnapshotHead{h.cfg.Issuer, h.instance, cursor}); err != nil {
		// The digest at its end is missing, so the follower refuses it.
		h.log.LogAttrs(r.Context(), slog.LevelInfo, "writing a snapshot failed", slog.Any("error", err))
	}
	h.cfg.Count("feed", "snapshot")
}

// snapshotTime is how long a follower may take to read a snapshot.
const snapshotTime = time.Minute

// maxAck is the longest acknowledgement read.
const maxAck = 64 << 10

// ServeAck takes an acknowledgement and answers with the newest cursor and a
// lease. Owner tells the credentials of different services apart, so that none
// can acknowledge for another.
func (h *Hub) ServeAck(w http.ResponseWriter, r *http.Request, owner string) {
	var ack *followerAck
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAck))
	if err == nil {
		ack, err = parseAck(body)
	}
	if _, huge := errors.AsType[*http.MaxBytesError](err); huge {
		refuse(w, http.StatusRequestEntityTooLarge, codeTooLarge, "an acknowledgement has 64 KiB at most")
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, codeBadRequest, err.Error())
		return
	}
	if ack.Instance != "" && ack.Instance != h.instance {
		// Meant for another node, or for this one before it was started again.
		refuse(w, http.StatusMisdirectedRequest, codeOtherInstance, "instance: this is another node")
		return
	}
	number, where, err := h.locate(r.Context(), ack.Cursor)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, codeUnavailable, "the store's feed cannot be read")
		return
	}
	var newest string
	var lease time.Duration
	if where == standsWithin || where == standsBehind {
		// A cursor from before all places, which a busy feed makes of one that is
		// half a second old, acknowledges nothing and may ask for a lease all the same.
		newest, lease, err = h.granting(owner+"\x00"+ack.Follower+"\x00"+ack.ID, ack, number)
	}
	switch {
	case errors.Is(err, errTooMany):
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, codeTooMany, err.Error())
	case where == standsAside:
		h.cfg.Count("feed", "old_cursor")
		refuse(w, http.StatusGone, codeOldCursor, "cursor: it cannot be placed any more; take a snapshot")
	case where == standsAhead || where == standsApart || err != nil:
		h.cfg.Count("feed", "unknown_cursor")
		refuse(w, http.StatusConflict, codeUnknownCursor, "cursor: not known here; take a snapshot")
	default:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]any{
			"newest": newest, "lease_ms": lease.Milliseconds(), "ack_ms": h.pause().Milliseconds(),
			"now": h.now().UnixMilli(), "instance": h.instance,
		})
	}
}

// acksPerSecond is how many acknowledgements of something new a hub asks of all
// its followers together, once each has told of the first at once.
const acksPerSecond = 2000

// pause is the least time a follower should leave between two acknowledgements of
// something new.
func (h *Hub) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	pause := time.Duration(len(h.followers)) * time.Second / acksPerSecond
	if pause < 5*time.Millisecond {
		return 0
	}
	return min(pause, h.cfg.Bound/beats)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": code, "message": message, "request_id": w.Header().Get("X-Request-Id")})
}
