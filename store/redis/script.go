package redis

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
)

//go:embed lua
var lua embed.FS

// What scripts answer first.
const (
	replyOK = iota
	replyNotFound
	replyExists
	replyEnded
	replyConflict
	replyLimit
	replyChanged
	replyDamaged
	replyBadCursor
	replyRefused // one of several, by what the text behind it says
	replyGuessed // stored with the very epochs of the guess
)

// constants gives the scripts the words and numbers of this package by name, so
// that they are written down once.
var constants = fmt.Sprintf(`local OK, NOT_FOUND, EXISTS, ENDED, CONFLICT, LIMIT, CHANGED, DAMAGED, BAD_CURSOR, REFUSED, GUESSED = %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d
local REVOKED_ALL, SESSION_LIMIT, LINKED, EXPIRED, IDLE, SYSTEM = '%s', '%s', '%s', '%s', '%s', '%s'
local SESSION, SUBJECT, ALL, LIMIT_LEAST_RECENT, LIMIT_REFUSE = %d, %d, %d, '%d', '%d'
`,
	replyOK, replyNotFound, replyExists, replyEnded, replyConflict, replyLimit, replyChanged, replyDamaged, replyBadCursor, replyRefused, replyGuessed,
	lanyard.ReasonRevokedAll, lanyard.ReasonLimit, lanyard.ReasonLinked, lanyard.ReasonExpired, lanyard.ReasonIdle, system,
	lanyard.EntrySession, lanyard.EntrySubject, lanyard.EntryAll, lanyard.LimitEndLeastRecent, lanyard.LimitRefuse)

// system is who ends records when nobody asked.
const system = "system"

// The steps, each by the name of its own file.
const (
	stepCreate      = "create"
	stepUpdate      = "update"
	stepRevoke      = "revoke"
	stepSubject     = "subject"
	stepFence       = "fence"
	stepAnnounce    = "announce"
	stepFeed        = "feed"
	stepSubjectList = "subjectlist"
	stepPrune       = "prune"
	stepNote        = "note"
	stepLease       = "lease"
	stepUnlease     = "unlease"
	stepLeases      = "leases"
	stepImport      = "import"
)

// steps says which files make the script of a step. A server runs all of them
// each time, so each step gets no more than it uses, and what only some calls
// need comes behind the point where the others have returned.
var steps = [...]struct{ name, files string }{
	{stepCreate, "start create record append finish limit"},
	{stepUpdate, "start append update"},
	{stepRevoke, "start record append finish revoke"},
	{stepSubject, "start record append finish subject"},
	{stepFence, "start append fence"},
	{stepAnnounce, "start append announce"},
	{stepFeed, "start feed"},
	{stepSubjectList, "start subjectlist"},
	{stepPrune, "start record append finish prune"},
	{stepNote, "start note"},
	{stepLease, "start append lease"},
	{stepUnlease, "start unlease"},
	{stepLeases, "start leases"},
	{stepImport, "start record append import"},
}

var scriptInit = source("init")

func source(name string) string {
	text, err := lua.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // the files are part of the program
	}
	return string(text)
}

// script is a step: its text, and the name under which a server keeps it.
type script struct{ text, sha string }

// nameScripts asks the server for the names of the scripts, which are digests of
// their texts. Each node is given a text when it asks for it.
func (s *Store) nameScripts(ctx context.Context) error {
	const doing = "naming the scripts"
	// With a key, because in a Cluster a command without one may meet a node
	// that is away.
	cmd := []string{"EVAL", source("names"), "1", s.keys[0].meta()}
	for _, step := range steps {
		text := constants
		for _, file := range strings.Fields(step.files) {
			text += source(file)
		}
		cmd = append(cmd, text)
	}
	reply, err := s.send(ctx, doing, cmd, 3)
	if err != nil {
		return err
	}
	shas, _ := reply.([]any)
	if len(shas) != len(steps) {
		return badReply(doing, reply)
	}
	for i, step := range steps {
		sha, ok := shas[i].(string)
		if !ok {
			return badReply(doing, reply)
		}
		s.scripts[step.name] = script{cmd[4+i], sha}
	}
	return nil
}

// run takes the step on the partition and returns its answer behind the code.
func (s *Store) run(ctx context.Context, doing, step string, part int, args ...string) ([]any, error) {
	return s.runOn(ctx, doing, step, []string{s.keys[part].meta()}, args)
}

// runOn is run with the meta keys of all the partitions that the step is for.
func (s *Store) runOn(ctx context.Context, doing, step string, metas, args []string) ([]any, error) {
	script := s.scripts[step]
	cmd := make([]string, 0, 5+len(metas)+len(args))
	cmd = append(cmd, "EVALSHA", script.sha, number(len(metas)))
	cmd = append(append(cmd, metas...), s.id, s.channel)
	cmd = append(cmd, args...)
	reply, err := s.send(ctx, doing, cmd, 3)
	if codeOf(err) == "NOSCRIPT" {
		cmd[0], cmd[1] = "EVAL", script.text
		reply, err = s.send(ctx, doing, cmd, 3)
	}
	if err != nil {
		return nil, err
	}
	answer, _ := reply.([]any)
	if len(answer) == 0 {
		return nil, badReply(doing, reply)
	}
	code, ok := answer[0].(int64)
	if !ok {
		return nil, badReply(doing, reply)
	}
	if err := verdict(doing, code); err != nil {
		return nil, err
	}
	return answer[1:], nil
}

// verdict is what a code means.
func verdict(doing string, code int64) error {
	switch code {
	case replyOK:
		return nil
	case replyNotFound:
		return lanyard.ErrNotFound
	case replyExists:
		return lanyard.ErrExists
	case replyEnded:
		return lanyard.ErrEnded
	case replyConflict:
		return lanyard.ErrConflict
	case replyLimit:
		return lanyard.ErrLimit
	case replyBadCursor:
		return lanyard.ErrBadCursor
	case replyChanged:
		return fmt.Errorf("redis: %s: its subject, origin and epochs cannot change", doing)
	case replyDamaged:
		return fmt.Errorf("redis: %s: %w", doing, lanyard.ErrBadRecord)
	default:
		return badReply(doing, code)
	}
}

// retries is how often a command is sent again which the server has refused
// before it began, at pauses that double from the first: a good second in all.
const (
	retries    = 8
	firstPause = 5 * time.Millisecond
)

// send runs a command. It is repeated only if the server said that it has not
// begun because its slot is on the move; where an answer is missing, nothing is
// known, and the caller is told so.
func (s *Store) send(ctx context.Context, doing string, cmd []string, key int) (any, error) {
	pause := firstPause
	for try := 0; ; try++ {
		reply, err := s.cfg.Do(ctx, cmd, key)
		if err == nil {
			return reply, nil
		}
		if codeOf(err) != "TRYAGAIN" || try == retries {
			return nil, explain(doing, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, explain(doing, err)
		}
		pause *= 2
	}
}

func number[T ~int64 | ~int | ~uint8 | ~uint32 | ~uint64](n T) string {
	return strconv.FormatInt(int64(n), 10)
}
