package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A Hash is the SHA-256 of a line of the chain. The zero Hash stands before the
// first line.
type Hash [sha256.Size]byte

// String returns the hash in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns the text of String.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads 64 lower-case hexadecimal digits.
func (h *Hash) UnmarshalText(text []byte) error {
	parsed, ok := parseHash(text)
	if !ok {
		return errors.New("audit: not a SHA-256 in lower-case hexadecimal")
	}
	*h = parsed
	return nil
}

func parseHash(text []byte) (Hash, bool) {
	var h Hash
	// Upper case would be a second spelling of the same line.
	if len(text) != hex.EncodedLen(len(h)) || bytes.ContainsAny(text, "ABCDEF") {
		return Hash{}, false
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return Hash{}, false
	}
	return h, true
}

// A Head names the last line of a chain: its number and hash. The zero Head is
// that of an empty chain.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash Hash   `json:"hash"`
}

// A line of the file is
//
//	{"seq":N,"prev":"HEX","time":...,"attrs":{...},"hash":"HEX"}
//
// where hash is the SHA-256 of the line's bytes before `,"hash":`. It is taken
// over bytes as they are stored, so that checking needs no canonical form.
const (
	seqPrefix  = `{"seq":`
	prevPrefix = `,"prev":"`
	hashPrefix = `,"hash":"`
	hexSize    = 2 * sha256.Size
	tailSize   = len(hashPrefix) + hexSize + len(`"}`)
	// maxLine bounds a line with its line feed. The limits on an event keep
	// lines below it.
	maxLine = 64 << 10
)

// appendLine appends the line that follows head, with its line feed, and returns
// the head after it.
func appendLine(b []byte, head Head, e Event) ([]byte, Head) {
	start := len(b)
	b = append(b, seqPrefix...)
	b = strconv.AppendUint(b, head.Seq+1, 10)
	b = append(b, prevPrefix...)
	b = hex.AppendEncode(b, head.Hash[:])
	b = append(b, `",`...)
	b = appendEvent(b, e)
	next := Head{head.Seq + 1, sha256.Sum256(b[start:])}
	b = append(b, hashPrefix...)
	b = hex.AppendEncode(b, next.Hash[:])
	return append(b, '"', '}', '\n'), next
}

// links is what a line says about its place in the chain.
type links struct {
	seq  uint64
	prev Hash
	hash Hash
}

func (l links) head() Head { return Head{l.seq, l.hash} }

// follows reports whether a line with these links comes right after head.
func (l links) follows(head Head) bool { return l.seq == head.Seq+1 && l.prev == head.Hash }

// parseLinks reads the links of a line without its line feed. It returns false
// for a line of another form and for one whose hash is not its own.
func parseLinks(line []byte) (links, bool) {
	seq, rest, ok := parseSeq(line)
	if !ok || len(line) < tailSize || len(rest) < hexSize+len(`",`)+tailSize {
		return links{}, false
	}
	l := links{seq: seq}
	if l.prev, ok = parseHash(rest[:hexSize]); !ok || rest[hexSize] != '"' || rest[hexSize+1] != ',' {
		return links{}, false
	}
	body, tail := line[:len(line)-tailSize], line[len(line)-tailSize:]
	if string(tail[:len(hashPrefix)]) != hashPrefix || string(tail[len(tail)-2:]) != `"}` {
		return links{}, false
	}
	if l.hash, ok = parseHash(tail[len(hashPrefix) : len(hashPrefix)+hexSize]); !ok {
		return links{}, false
	}
	return l, l.hash == sha256.Sum256(body)
}

// parseSeq reads the number of a line and returns what follows `"prev":"`.
func parseSeq(line []byte) (uint64, []byte, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(seqPrefix))
	if !ok {
		return 0, nil, false
	}
	digits, rest, ok := bytes.Cut(rest, []byte(prevPrefix))
	// 20 digits hold every uint64; a leading zero would be a second spelling.
	if !ok || len(digits) == 0 || len(digits) > 20 || digits[0] == '0' {
		return 0, nil, false
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	return seq, rest, err == nil
}

// A Record is an event as it stands in a file.
type Record struct {
	Seq   uint64
	Hash  Hash
	Event Event
}

// MarshalJSON returns the members of the event after "seq" and "hash".
func (r Record) MarshalJSON() ([]byte, error) {
	e, err := r.Event.complete()
	if err != nil {
		return nil, err
	}
	b := append([]byte(seqPrefix), strconv.FormatUint(r.Seq, 10)...)
	b = append(b, hashPrefix...)
	b = hex.AppendEncode(b, r.Hash[:])
	b = append(b, `",`...)
	return append(appendEvent(b, e), '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and lines of the file.
func (r *Record) UnmarshalJSON(data []byte) error {
	var wire struct {
		Seq       uint64            `json:"seq"`
		Hash      Hash              `json:"hash"`
		Time      time.Time         `json:"time"`
		Name      Name              `json:"event"`
		Outcome   Outcome           `json:"outcome"`
		Severity  Severity          `json:"severity"`
		Actor     string            `json:"actor"`
		Subject   string            `json:"subject"`
		SID       string            `json:"sid"`
		Source    string            `json:"source"`
		RequestID string            `json:"request_id"`
		Methods   []string          `json:"methods"`
		Reason    string            `json:"reason"`
		Attrs     map[string]string `json:"attrs"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return fmt.Errorf("reading audit record: %w", err)
	}
	*r = Record{Seq: wire.Seq, Hash: wire.Hash, Event: Event{
		Time: wire.Time, Name: wire.Name, Outcome: wire.Outcome, Severity: wire.Severity,
		Actor: wire.Actor, Subject: wire.Subject, SID: wire.SID, Source: wire.Source,
		RequestID: wire.RequestID, Methods: wire.Methods, Reason: wire.Reason, Attrs: wire.Attrs,
	}}
	return nil
}

// isRepair reports whether a line that matches its hash is a chain_repaired
// event. The name stands at a fixed place, right behind the time, so that no text
// of an event can imitate it.
func isRepair(line []byte) bool {
	_, rest, ok := parseSeq(line)
	skip := hexSize + len(`","time":"`) + len(TimeLayout)
	return ok && len(rest) > skip && bytes.HasPrefix(rest[skip:], []byte(`","event":"`+string(ChainRepaired)+`"`))
}
