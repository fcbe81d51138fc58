package audit

import "slices"

// Severity says how urgently a person should look.
type Severity string

// The severities, rising.
const (
	Info     Severity = "info"     // normal operation
	Warning  Severity = "warning"  // a refusal or a fault; worth counting
	Critical Severity = "critical" // a stolen credential or a broken control; worth waking someone
)

// Outcome says how the action that an event reports went.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success" // it was done
	Failure Outcome = "failure" // it was tried and did not work
	Denied  Outcome = "denied"  // it was refused by a rule
)

// An Entry is one row of the vocabulary.
type Entry struct {
	Name     Name
	Severity Severity // used when an Event leaves its own empty
	Outcome  Outcome  // used when an Event leaves its own empty
	Meaning  string   // one sentence for the log inventory
}

// Vocabulary returns every kind of event, in the order of documentation. The
// slice is the caller's own.
func Vocabulary() []Entry { return slices.Clone(vocabulary[:]) }

// vocabulary is the one table behind names, severities and documentation.
// Nothing writes to it.
var vocabulary = [...]Entry{
	{SessionCreated, Info, Success, "A session record was made."},
	{SessionRenewed, Info, Success, "The idle limit of a session was moved: told for the first write in an hour."},
	{SessionRotated, Info, Success, "The credential of a session was replaced."},
	{SessionElevated, Info, Success, "The holder of a session authenticated again or with another factor."},
	{SessionEnded, Info, Success, "A session ended; the reason says why."},
	{SessionUsedAfterEnd, Critical, Denied, "A genuine credential of an ended session was presented."},
	{LoginSucceeded, Info, Success, "Someone signed in; the methods say how."},
	{LoginFailed, Warning, Failure, "An attempt to sign in did not succeed."},
	{LoginThrottled, Warning, Denied, "An attempt to sign in was refused unexamined because there were too many."},
	{TokenIssued, Info, Success, "An access token, or a first pair of tokens, was issued."},
	{TokenRefreshed, Info, Success, "A refresh token was exchanged for its successor."},
	{RefreshRetried, Info, Success, "A refresh was repeated within the retry window and got the same answer."},
	{RefreshReused, Critical, Denied, "A spent refresh token was presented; its session was ended."},
	{TokenRevoked, Info, Success, "A token was revoked at the request of its holder or client."},
	{CodeIssued, Info, Success, "A one-time code was issued."},
	{CodeRedeemed, Info, Success, "A one-time code was presented."},
	{BindingMade, Info, Success, "A session was bound to a key held by the client."},
	{BindingImpossible, Critical, Denied, "A credential was presented with a key it cannot belong to."},
	{ProofFailed, Warning, Denied, "A proof of possession was missing or wrong."},
	{CSRFRefused, Warning, Denied, "A request was refused as a suspected forgery."},
	{CookieAmbiguous, Warning, Denied, "A request carried the session cookie twice or in a suspicious form."},
	{CredentialGuessed, Warning, Denied, "One source presented more unknown credentials than chance explains."},
	{AdminAction, Info, Success, "An administrator did something; the reason says what."},
	{UserAdded, Info, Success, "A user was added."},
	{UserDisabled, Info, Success, "A user was disabled."},
	{UserEnabled, Info, Success, "A user was enabled again."},
	{PasswordChanged, Info, Success, "A user changed the password."},
	{PasswordResetRequested, Info, Success, "A password reset was asked for."},
	{PasswordReset, Info, Success, "A password was set through a reset."},
	{KeyRotated, Info, Success, "A new key took over; the old one still verifies."},
	{KeyWithdrawn, Warning, Success, "A key was withdrawn; nothing it made is accepted any more."},
	{ClientAdded, Info, Success, "A client was registered."},
	{ClientRemoved, Info, Success, "A client was removed."},
	{StoreRegressed, Critical, Failure, "The store knows less than it did: it was restored or has lost writes."},
	{StoreFailed, Warning, Failure, "The store did not answer or answered with an error."},
	{FeedStale, Warning, Failure, "The news of revocations is older than its bound."},
	{SinkFailed, Critical, Failure, "An audit sink did not take an event."},
	{ChainRepaired, Critical, Success, "The audit file was found damaged at its end and was continued."},
	{ServerStarted, Info, Success, "The server started."},
	{ServerStopped, Info, Success, "The server stopped in an orderly way."},
}

// lookup returns the row of a name.
func lookup(n Name) (Entry, bool) {
	for _, e := range vocabulary {
		if e.Name == n {
			return e, true
		}
	}
	return Entry{}, false
}
