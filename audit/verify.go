package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// Kind says what happened to a chain.
type Kind string

// The kinds of damage.
const (
	Edited    Kind = "edited"    // a line is not what was written there
	Removed   Kind = "removed"   // lines are missing before this one
	Reordered Kind = "reordered" // a line stands in another's place
	Truncated Kind = "truncated" // the end is missing
)

// Broken is the error of a chain that does not hold. It describes the first line
// that fails.
type Broken struct {
	Line   int    // 1-based, as an editor counts; zero when not known
	Seq    uint64 // the number expected there, or that was noted
	Kind   Kind
	Detail string
}

// Error names the line, the kind and the detail.
func (b *Broken) Error() string {
	if b.Line == 0 {
		return fmt.Sprintf("audit: chain broken: %s: %s", b.Kind, b.Detail)
	}
	return fmt.Sprintf("audit: chain broken at line %d: %s: %s", b.Line, b.Kind, b.Detail)
}

// A Report says what was checked. When the chain is broken it covers the lines
// before the break.
type Report struct {
	Lines    int  // lines that hold
	Head     Head // the last of them
	Repairs  int  // chain_repaired events among them
	Anchored bool // the last line known to be on disk was compared with PATH.head
}

// Verify reads a chain from its first line to its end and returns what holds. The
// error is a [*Broken] if something does not; other errors come from r. A reader
// cannot show that whole lines are missing at the end, see [VerifyFile]. Memory
// use does not grow with the length of the chain.
func Verify(r io.Reader) (Report, error) {
	return verify(r, Head{})
}

// VerifyFile checks the file at path as [Verify] does, and that it reaches and
// matches the line that PATH.head names. The file may be open for writing; a
// line seen half written is then reported as truncated, so check again.
func VerifyFile(path string) (report Report, err error) {
	// The note is read first: the file can only have moved on since.
	noted, ok, err := readHead(path)
	if err != nil {
		return Report{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("opening audit file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	report, err = verify(f, noted)
	report.Anchored = ok && err == nil
	return report, err
}

func verify(r io.Reader, noted Head) (Report, error) {
	var report Report
	lines := newLines(r)
	for {
		line, err := lines.next()
		if err == io.EOF {
			break
		}
		broken := func(k Kind, detail string) (Report, error) {
			return report, &Broken{Line: report.Lines + 1, Seq: report.Head.Seq + 1, Kind: k, Detail: detail}
		}
		switch {
		case errors.Is(err, errTorn):
			return broken(Truncated, "the last line is incomplete")
		case errors.Is(err, errLong):
			return broken(Edited, "the line is longer than any that is written")
		case err != nil:
			return report, fmt.Errorf("reading audit file: %w", err)
		}
		l, ok := parseLinks(line)
		if !ok {
			return broken(Edited, "the line does not match its hash")
		}
		want := report.Head.Seq + 1
		switch {
		case l.seq > want:
			moved, err := lines.contains(want)
			if err != nil {
				return report, fmt.Errorf("reading audit file: %w", err)
			}
			if moved {
				return broken(Reordered, fmt.Sprintf("number %d stands where %d belongs, which comes later", l.seq, want))
			}
			return broken(Removed, fmt.Sprintf("number %d follows %d", l.seq, want-1))
		case l.seq < want:
			return broken(Reordered, fmt.Sprintf("number %d again, where %d belongs", l.seq, want))
		case l.prev != report.Head.Hash:
			return broken(Edited, "it does not continue the line before it; one of the two was rewritten")
		case l.seq == noted.Seq && l.hash != noted.Hash:
			return broken(Edited, "it is not the line that the head file names")
		}
		report.Lines++
		report.Head = l.head()
		if isRepair(line) {
			report.Repairs++
		}
	}
	if report.Head.Seq < noted.Seq {
		b := behind(report.Head, noted)
		b.Line = report.Lines + 1
		return report, b
	}
	return report, nil
}

// behind is the error of a chain that ends before the line it is known to have
// had.
func behind(head, noted Head) *Broken {
	return &Broken{
		Seq:    head.Seq + 1,
		Kind:   Truncated,
		Detail: fmt.Sprintf("the file ends with number %d, the head file names %d", head.Seq, noted.Seq),
	}
}

var (
	errTorn = errors.New("incomplete line")
	errLong = errors.New("line too long")
)

// lines reads whole lines in bounded memory.
type lines struct {
	r *bufio.Reader
}

func newLines(r io.Reader) *lines { return &lines{bufio.NewReaderSize(r, maxLine)} }

// next returns the next line without its line feed; the bytes are valid until
// the next call.
func (l *lines) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	switch {
	case err == nil:
		return line[:len(line)-1], nil
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, errLong
	case err == io.EOF && len(line) > 0:
		return nil, errTorn
	}
	return nil, err
}

// contains reports whether the number seq stands on one of the remaining lines
// that match their hash.
func (l *lines) contains(seq uint64) (bool, error) {
	for {
		line, err := l.next()
		switch {
		case err == io.EOF || errors.Is(err, errTorn):
			return false, nil
		case errors.Is(err, errLong):
			continue
		case err != nil:
			return false, err
		}
		if found, ok := parseLinks(line); ok && found.seq == seq {
			return true, nil
		}
	}
}
