package revocation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// request makes a request with the follower's credentials.
func (f *Follower) request(ctx context.Context, method, address string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // who compresses also buffers
	if f.cfg.Authorize != nil {
		f.cfg.Authorize(req)
	}
	return req, nil
}

// send sends a request. Any answer but 200 of the media type is an error.
func (f *Follower) send(req *http.Request, mediaType string) (*http.Response, error) {
	res, err := f.client.Do(req)
	if err != nil {
		return nil, &fault{TroubleUnreachable, err}
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch s := res.StatusCode; {
	case s == http.StatusOK && kind == mediaType:
		return res, nil
	case s == http.StatusOK:
		err = faultf(TroubleMalformed, "%s answered with %.64q instead of %s", req.URL.Path, kind, mediaType)
	case s >= 300 && s < 400:
		err = faultf(TroubleRedirect, "%s answered with a redirect (%d), which is not followed", req.URL.Path, s)
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		err = faultf(TroubleCredentials, "%s refuses the follower's credentials (%d)", req.URL.Path, s)
	case s == http.StatusMisdirectedRequest:
		err = faultf(TroubleInstance, "%s was answered by another node than the stream (%d)", req.URL.Path, s)
	case s == http.StatusConflict:
		err = faultf(TroubleRegress, "%s does not know the follower's cursor (%d): a restored backup, or another store", req.URL.Path, s)
	case s == http.StatusGone:
		err = faultf(TroubleResync, "%s no longer has what the follower missed (%d)", req.URL.Path, s)
	default:
		err = faultf(TroubleStatus, "%s answered with status %d", req.URL.Path, s)
	}
	res.Body.Close()
	return nil, err
}

// exchanged is an acknowledgement that was answered.
type exchanged struct {
	sent   instant
	prompt bool          // it told of something new
	every  time.Duration // the next is due so long after it, whether there is news or not
	pause  time.Duration // between two prompt ones the node wants at least that
}

// acknowledge tells the node again and again how far the follower is, until the
// line ends. One acknowledgement is under way at a time.
//
// News is told at once, unless there was some to tell less than a pause ago:
// whether an acknowledgement without news has just been sent makes no difference.
// So however much is revoked, a follower sends at most one with news in most of a
// pause, and one other in most of a quarter of the lease.
func (l *line) acknowledge(ctx context.Context) error {
	var told exchanged // the last prompt one
	for {
		done, err := l.exchange(ctx)
		if err != nil {
			return err
		}
		due := done.every
		if done.prompt {
			told = done
			if done.pause > 0 {
				// All of a node's followers hear of an end, and acknowledge it, at the same
				// moment. They must not all come back at the same moment too.
				due -= jitter(due / 4)
			}
		}
		now := l.f.read()
		var allowed time.Duration
		if told.prompt {
			allowed = done.pause - now.since(told.sent)
		}
		if !l.rest(ctx, due-now.since(done.sent), allowed) {
			return nil
		}
	}
}

// rest waits until the next acknowledgement is due, or there is news and telling
// it is allowed. It reports whether the line goes on.
func (l *line) rest(ctx context.Context, due, allowed time.Duration) bool {
	if !sleep(ctx, min(due, allowed)) {
		return false
	}
	timer := time.NewTimer(due - max(allowed, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.f.kick:
		l.f.Acknowledge() // it is taken with what it is about
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// leastEvery is the least time between two acknowledgements that nothing but
// time sets off.
const leastEvery = 10 * time.Millisecond

// exchange sends one acknowledgement and takes in the answer.
func (l *line) exchange(ctx context.Context) (done exchanged, err error) {
	f := l.f
	select {
	case <-f.kick: // before the cursor is read, which is all that it is about
		done.prompt = true
	default:
	}
	cursor, held := f.place(), false
	if f.cfg.Covered != nil {
		if covered := f.cfg.Covered(); covered != "" {
			cursor = covered
		} else {
			held = true
		}
	}
	limit := max(leastPatience, l.bound/2)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, faultf(TroubleUnreachable, "no answer to an acknowledgement within %v", limit))
	defer cancel()

	ack := followerAck{Follower: f.cfg.Name, ID: f.id, Cursor: cursor, Held: held, Instance: l.instance, Local: f.cfg.Local}
	f.mu.Lock()
	f.lags.take(&ack)
	f.mu.Unlock()
	answer, q, err := l.post(ctx, &ack)
	if err != nil {
		f.mu.Lock()
		f.lags.putBack(&ack)
		f.mu.Unlock()
		return done, because(ctx, err)
	}
	f.mu.Lock()
	f.totals.acks++
	f.mu.Unlock()

	length := min(answer.lease, f.cfg.MaxLease)
	done.sent, done.every = q.sent, l.bound/4
	if length > 0 {
		done.every = max(leastEvery, length/4)
	}
	done.pause = min(answer.pause, done.every)
	if err := f.compareClocks(q, answer.now); err != nil {
		l.forget()
		f.troubles.met(l.at.name, err)
	} else if length > 0 {
		l.promised(promise{q, answer.newest, length}, cursor)
	}
	return done, nil
}

// post sends an acknowledgement and reads the answer.
func (l *line) post(ctx context.Context, ack *followerAck) (a ackAnswer, q question, err error) {
	body, err := json.Marshal(ack)
	if err != nil {
		return a, q, err
	}
	req, err := l.f.request(ctx, http.MethodPost, l.at.ack, bytes.NewReader(body))
	if err != nil {
		return a, q, err
	}
	req.Header.Set("Content-Type", "application/json")
	q = l.asked()
	res, err := l.f.send(req, "application/json")
	if err != nil {
		return a, q, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAckAnswer+1))
	if err != nil {
		return a, q, &fault{TroubleUnreachable, err}
	}
	if len(text) > maxAckAnswer {
		return a, q, &fault{TroubleMalformed, errors.New("the answer to an acknowledgement is too long")}
	}
	if a, err = parseAckAnswer(string(text)); err != nil {
		return a, q, &fault{TroubleMalformed, err}
	}
	if a.instance != l.instance {
		return a, q, faultf(TroubleInstance, "the node %.64q answered an acknowledgement, the stream is from %.64q", a.instance, l.instance)
	}
	return a, q, nil
}

// compareClocks reports that the wall clocks of issuer and follower are apart:
// then no expiry can be trusted. The issuer's clock was read at some moment
// between the sending and now.
func (f *Follower) compareClocks(q question, theirs int64) error {
	received := f.cfg.Now().Round(0)
	sent := received.Add(-f.read().since(q.sent))
	their := time.UnixMilli(theirs)
	if ahead := their.Sub(received); ahead > clockTolerance {
		return faultf(TroubleClock, "the issuer's clock is %v ahead of this one", ahead.Round(time.Second))
	}
	if behind := sent.Sub(their); behind > clockTolerance {
		return faultf(TroubleClock, "the issuer's clock is %v behind this one", behind.Round(time.Second))
	}
	return nil
}
