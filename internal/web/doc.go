// Package web turns view structs into the pages people see: login, account, password reset and the administrators' console.
//
// It only renders. It knows nothing of sessions, routes or stores: the caller fills a view with plain values and calls the method of
// that page, which writes a whole HTML document or nothing. Start with [New], mount [Pages.Assets] under [AssetPath], call
// [Pages.Headers] before the status is written, then for example [Pages.Login].
//
// The pages work without script. Every form is a plain POST (or a GET for the searches) whose target and fields are part of this package's contract:
//
//	POST /login                          username, password, return_to, remember=1 (only when the view offers it)
//	POST /logout                         -
//	POST /account/sessions/{sid}/end     -
//	POST /account/sessions/end-others    -
//	POST /account/password               current, new, end_others=1
//	POST /account/confirm                password, return_to and the hidden fields of the view
//	POST /reset                          code, new
//	GET  /console                        q, channel=cookie|token, cursor
//	POST /console/sessions/{sid}/end     reason
//	GET  /console/users                  cursor
//	POST /console/users                  name
//	POST /console/users/{name}/disable   -
//	POST /console/users/{name}/enable    -
//	POST /console/users/{name}/reset     -  (only when the view offers it)
//	GET  /console/keys                   -
//	POST /console/keys/rotate            -
//	POST /console/keys/{kid}/withdraw    confirm (the key id, typed)
//	GET  /console/audit                  after
//	GET  /console/health                 -  (only when a tab leads there)
//
// Every POST form also carries csrf_token from [Page.CSRFToken].
//
// The pages are the .templ files, from which templ makes the _templ.go files beside them; both are kept.
package web

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate -path .
