package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/lanyard-go/lanyard/internal/jose"
)

const maxBody = 64 << 10

// badRequest is a request that cannot be understood; the message names the
// member or parameter.
type badRequest struct {
	status  int
	code    string
	message string
	cause   error // for the log, if there is one
}

func (e *badRequest) Error() string { return e.message }

func bad(format string, args ...any) error {
	return &badRequest{http.StatusBadRequest, "invalid_request", fmt.Sprintf(format, args...), nil}
}

// readBody reads a body of the wanted media type, whole, within its limit.
func readBody(w http.ResponseWriter, r *http.Request, mediaType string, limit int64) ([]byte, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || kind != mediaType || len(r.Header["Content-Type"]) != 1 || charset != "" && charset != "utf-8" {
		return nil, &badRequest{http.StatusUnsupportedMediaType, "unsupported_media_type", "Send the body as Content-Type: " + mediaType + " in UTF-8.", nil}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, &badRequest{http.StatusUnsupportedMediaType, "unsupported_media_type", "Send the body without a Content-Encoding.", nil}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &badRequest{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("The body may have %d bytes at most.", limit), nil}
	}
	if err != nil {
		return nil, &badRequest{http.StatusBadRequest, "invalid_request", "The body could not be read to its end.", nil}
	}
	return body, nil
}

// readJSON reads exactly one JSON object into v, a pointer to a struct: UTF-8,
// no unknown, repeated or differently-cased member, nothing behind it.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := readBody(w, r, "application/json", maxBody)
	if err != nil {
		return err
	}
	return decodeJSON(body, v)
}

func decodeJSON(body []byte, v any) error {
	members, err := jose.ParseObject(nil, string(body), jose.Limits{})
	if err != nil {
		if name, ok := repeated(body); ok {
			return bad("The member %s is repeated.", quoted(name))
		}
		return bad("The body is not one JSON object in UTF-8 without repeated members.")
	}
	fields, known := map[string]reflect.Value{}, []string{}
	for f, value := range reflect.ValueOf(v).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name], known = value, append(known, name)
	}
	for _, m := range members {
		field, ok := fields[m.Name]
		if !ok {
			return bad("The member %s is not known here. Known are: %s.", quoted(m.Name), strings.Join(known, ", "))
		}
		raw := m.Value.Raw()
		if raw == "null" || json.Unmarshal([]byte(raw), field.Addr().Interface()) != nil {
			return bad("The member %s must be %s.", quoted(m.Name), kindWord(field.Type()))
		}
	}
	return nil
}

// repeated finds the first name that an object has twice.
func repeated(body []byte) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", false
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return "", false
		}
		if seen[name] {
			return name, true
		}
		seen[name] = true
		if err := d.Decode(new(json.RawMessage)); err != nil {
			return "", false
		}
	}
	return "", false
}

func kindWord(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list of strings"
	}
	return "a time such as 2026-01-02T15:04:05Z"
}

// quoted shows what a client sent, cut and made harmless.
func quoted(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return fmt.Sprintf("%q", s)
}

// readForm reads an application/x-www-form-urlencoded body. A repeated parameter
// is refused (RFC 6749 section 3.2), the query is not looked at, and unknown
// parameters are left to the caller to ignore.
func readForm(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	if _, err := readBodyForm(w, r); err != nil {
		return nil, err
	}
	form := make(map[string]string, len(r.PostForm))
	for name, values := range r.PostForm {
		if len(values) != 1 && name == "resource" {
			// RFC 8707 permits several; a token for all of them would leave open
			// which of its scopes is meant for whom (RFC 9068 section 3).
			return nil, oauthBad("invalid_target", "Ask for one resource at a time.")
		}
		if len(values) != 1 {
			return nil, bad("The parameter %s is repeated.", quoted(name))
		}
		form[name] = values[0]
	}
	return form, nil
}

func readBodyForm(w http.ResponseWriter, r *http.Request) (http.Header, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, &badRequest{http.StatusUnsupportedMediaType, "invalid_request", "Send the parameters as Content-Type: application/x-www-form-urlencoded.", nil}
	}
	if r.PostForm == nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := r.ParseForm(); err != nil {
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return nil, &badRequest{http.StatusRequestEntityTooLarge, "invalid_request", fmt.Sprintf("The body may have %d bytes at most.", maxBody), nil}
			}
			return nil, bad("The form cannot be read.")
		}
	}
	return r.Header, nil
}
