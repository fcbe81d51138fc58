package csrf

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// form builds a POST of an urlencoded body.
func form(target, body string) *http.Request {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// upload builds a POST of a multipart body with one file of the given size.
func upload(t *testing.T, token string, size int) *http.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	file, err := w.CreateFormFile("file", "a.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteField(FieldName, token); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

// req: CSRF-7
func TestTheTokenComesFromHeaderOrFormOnly(t *testing.T) {
	header := func(r *http.Request, values ...string) *http.Request {
		for _, v := range values {
			r.Header.Add("X-CSRF-Token", v)
		}
		return r
	}
	cookie := httptest.NewRequest("POST", "/", nil)
	cookie.AddCookie(&http.Cookie{Name: FieldName, Value: "tok"})
	cookie.AddCookie(&http.Cookie{Name: "X-CSRF-Token", Value: "tok"})
	get := form("/", "csrf_token=tok")
	get.Method = "GET"
	plain := form("/", "csrf_token=tok")
	plain.Header.Set("Content-Type", "text/plain")
	put := form("/", "csrf_token=tok")
	put.Method = "PUT"
	tests := []struct {
		name string
		r    *http.Request
		want string
	}{
		{"a header", header(httptest.NewRequest("DELETE", "/", nil), "tok"), "tok"},
		{"a form field", form("/", "a=1&csrf_token=tok"), "tok"},
		{"a form field of a PUT", put, "tok"},
		{"a multipart field", upload(t, "tok", 1000), "tok"},
		{"the header wins over the field", header(form("/", "csrf_token=field"), "tok"), "tok"},
		{"a query beside an empty form", form("/?csrf_token=tok", "a=1"), ""},
		{"a query beside a JSON body", httptest.NewRequest("POST", "/?csrf_token=tok", strings.NewReader("{}")), ""},
		{"a query does not make the field ambiguous", form("/?csrf_token=evil", "csrf_token=tok"), "tok"},
		{"a cookie", cookie, ""},
		{"the body of a GET", get, ""},
		{"a form under another content type", plain, ""},
		{"two headers", header(httptest.NewRequest("POST", "/", nil), "tok", "tok"), ""},
		{"an empty header hides the field", header(form("/", "csrf_token=tok"), ""), ""},
		{"two fields", form("/", "csrf_token=tok&csrf_token=tok"), ""},
		{"an empty field", form("/", "csrf_token="), ""},
		{"a field name in another case", form("/", "CSRF_Token=tok"), ""},
		{"a broken body", form("/", "csrf_token=%zz"), ""},
		{"nothing", httptest.NewRequest("POST", "/", nil), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := FromRequest(tt.r)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %v; want %q", got, ok, tt.want)
			}
		})
	}
}

func TestAFormLongerThanTheBoundHasNoToken(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	body := &counting{r: strings.NewReader("csrf_token=tok&a=" + strings.Repeat("x", 4*MaxForm))}
	r := httptest.NewRequest("POST", "/", body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got, ok := FromRequest(r); ok {
		t.Errorf("got %q from a form that is too long", got)
	}
	if body.n > 2*MaxForm {
		t.Errorf("read %d bytes", body.n)
	}
	if got, ok := FromRequest(upload(t, "tok", 2*MaxForm)); ok {
		t.Errorf("got %q from an upload that is too long", got)
	}
	if got, ok := FromRequest(upload(t, "tok", MaxForm-4096)); !ok || got != "tok" {
		t.Errorf("an upload below the bound: %q, %v", got, ok)
	}
	files, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(files) > 0 {
		t.Errorf("temporary files were made: %v", files)
	}
}

func TestTheHandlerStillSeesWhatItNeeds(t *testing.T) {
	r := form("/?q=1", "csrf_token=tok&a=1")
	FromRequest(r)
	if r.PostFormValue("a") != "1" || r.FormValue("q") != "1" {
		t.Errorf("form is gone: %v", r.Form)
	}
	r = form("/", "a=1")
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	if _, ok := FromRequest(r); ok {
		t.Error("a token out of nothing")
	}
	r = httptest.NewRequest("POST", "/", strings.NewReader(`{"a":1}`))
	r.Header.Set("Content-Type", "application/json")
	FromRequest(r)
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != `{"a":1}` {
		t.Errorf("a JSON body was touched: %q, %v", body, err)
	}
}

type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
