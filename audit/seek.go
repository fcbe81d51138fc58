package audit

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// seekAfter moves f to the start of a line from which every record with a number
// above after can be read. Numbers rise along the file, so it halves the file
// until the remaining part is small, and leaves the rest to the reader.
func seekAfter(f *os.File, after uint64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	low, high := int64(0), info.Size() // low starts a line whose number is at most after, or the file
	for high-low > 4*maxLine {
		mid := low + (high-low)/2
		start, seq, err := lineFrom(f, mid)
		if err != nil {
			return err
		}
		if start < 0 || start >= high || seq > after {
			high = mid
		} else {
			low = start
		}
	}
	_, err = f.Seek(low, io.SeekStart)
	return err
}

// lineFrom returns the offset and number of the first line that starts after
// offset, or a negative offset if none does.
func lineFrom(f *os.File, offset int64) (int64, uint64, error) {
	buf := make([]byte, 2*maxLine)
	n, err := f.ReadAt(buf, offset)
	if err != nil && err != io.EOF {
		return 0, 0, err
	}
	i := bytes.IndexByte(buf[:n], '\n')
	if i < 0 || i+1 == n {
		return -1, 0, nil
	}
	seq, _, ok := parseSeq(buf[i+1 : n])
	if !ok {
		return 0, 0, errors.New("a line has no number")
	}
	return offset + int64(i) + 1, seq, nil
}
