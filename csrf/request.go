package csrf

import (
	"mime"
	"net/http"
)

// Where a request carries its token, and how much of a body is read to find it.
const (
	HeaderName = "X-Csrf-Token" // canonical form; clients may write any case
	FieldName  = "csrf_token"
	MaxForm    = 1 << 20 // bytes
)

// FromRequest returns the token a request carries: the single value of the
// X-CSRF-Token field, or else the single csrf_token field of a POST, PUT or PATCH
// form in the body, urlencoded or multipart. It never looks at the query or the
// cookies, which another site can fill in. It returns false when there is no
// token, when it is empty, and when it is there more than once.
//
// To find a form field it parses the body, of which it reads at most [MaxForm]
// bytes; a handler can then use r.PostForm or r.MultipartForm as usual. A longer
// form, such as an upload, has no token here and must send the header. Requests
// with the header, or with another content type, keep their body untouched.
func FromRequest(r *http.Request) (string, bool) {
	if values := r.Header[HeaderName]; len(values) > 0 {
		return single(values)
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", false
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		if r.PostForm == nil {
			bound(r)
			if err := r.ParseForm(); err != nil {
				return "", false
			}
		}
		return single(r.PostForm[FieldName])
	case "multipart/form-data":
		if r.MultipartForm == nil {
			bound(r)
			// All of the bounded body fits the memory allowance: no temporary
			// files are made for a request that is not yet trusted.
			if err := r.ParseMultipartForm(MaxForm); err != nil {
				return "", false
			}
		}
		return single(r.MultipartForm.Value[FieldName])
	}
	return "", false
}

func bound(r *http.Request) {
	if r.Body != nil {
		r.Body = http.MaxBytesReader(nil, r.Body, MaxForm)
	}
}

func single(values []string) (string, bool) {
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}
