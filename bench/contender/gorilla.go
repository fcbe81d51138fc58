package contender

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gorilla/sessions"
)

const gorillaName = "session"

// openGorilla keeps everything in the cookie itself, authenticated and
// encrypted. There is nothing to revoke, so it does less than the others.
func openGorilla(n int) (*Site, error) {
	hashKey, blockKey := make([]byte, 64), make([]byte, 32)
	rand.Read(hashKey)
	rand.Read(blockKey)
	store := sessions.NewCookieStore(hashKey, blockKey)
	store.Options.HttpOnly = true
	store.Options.SameSite = http.SameSiteLaxMode
	store.MaxAge(int(limit / time.Second))

	s := &Site{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, gorillaName)
		if err != nil {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		subject, _ := session.Values["subject"].(string)
		page(w, subject)
	})}
	for i := range n {
		p := somebody(i)
		r := httptest.NewRequest("POST", issuer+"/login", nil)
		w := httptest.NewRecorder()
		session, err := store.New(r, gorillaName)
		if err != nil {
			return nil, err
		}
		now := time.Now().UnixMilli()
		for name, value := range map[any]any{
			"subject": p.subject, "methods": "pwd", "label": p.label, "user_agent": p.agent, "ip": p.address,
			"created_at": now, "auth_time": now,
		} {
			session.Values[name] = value
		}
		if err := session.Save(r, w); err != nil {
			return nil, err
		}
		s.Badges = append(s.Badges, cookieBadge(gorillaName, w.Result().Cookies()[0].Value))
	}
	return s, nil
}
