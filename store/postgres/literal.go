package postgres

import (
	"encoding/hex"
	"strconv"
)

// array is a parameter that holds an array, in PostgreSQL's text form: every
// driver can send a string, few can send slices. Values are numbers or hex
// digits only, so nothing in them can end the array.
type array struct{ text []byte }

func (a *array) next() {
	if a.text == nil {
		a.text = append(a.text, '{')
		return
	}
	a.text = append(a.text, ',')
}

func (a *array) integer(n int64) {
	a.next()
	a.text = strconv.AppendInt(a.text, n, 10)
}

func (a *array) boolean(b bool) {
	a.next()
	a.text = strconv.AppendBool(a.text, b)
}

func (a *array) null() {
	a.next()
	a.text = append(a.text, "NULL"...)
}

func (a *array) bytes(b []byte) {
	a.next()
	a.text = append(a.text, `"\\x`...)
	a.text = hex.AppendEncode(a.text, b)
	a.text = append(a.text, '"')
}

func (a *array) string(s string) { a.bytes([]byte(s)) }

// sid adds the SID, or NULL for none.
func (a *array) sid(sid [16]byte) {
	if sid == [16]byte{} {
		a.null()
		return
	}
	a.bytes(sid[:])
}

func (a *array) String() string {
	if a.text == nil {
		return "{}"
	}
	return string(a.text) + "}"
}
