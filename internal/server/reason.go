package server

import (
	"cmp"
	"strings"

	"github.com/lanyard-go/lanyard"
)

// reasonWords are why sessions end, for people.
var reasonWords = map[lanyard.Reason]string{
	lanyard.ReasonLogout:          "signed out",
	lanyard.ReasonUser:            "asked for from another session",
	lanyard.ReasonAdmin:           "an administrator’s decision",
	lanyard.ReasonIdle:            "idle for too long",
	lanyard.ReasonExpired:         "absolute limit reached",
	lanyard.ReasonLimit:           "too many sessions",
	lanyard.ReasonReplaced:        "replaced by a newer sign-in",
	lanyard.ReasonLinked:          "the session it came from ended",
	lanyard.ReasonRefreshReuse:    "a used refresh token came back",
	lanyard.ReasonPasswordChanged: "password changed",
	lanyard.ReasonDisabled:        "user disabled",
	lanyard.ReasonRevokedAll:      "everything was revoked",
	lanyard.ReasonTokenRevoked:    "its client revoked a token",
	canaryReason:                  "a canary that measures the lag",
	lanyard.ReasonRestored:        "older than the last restored backup",
}

// reasonText words a reason. One that is not the library's own is somebody's
// text, or a code made of words.
func reasonText(reason string) string {
	return cmp.Or(reasonWords[lanyard.Reason(reason)], strings.ReplaceAll(reason, "_", " "))
}
