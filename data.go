package lanyard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// MaxData is the size in bytes of all application data of one session.
const MaxData = 16 << 10

// ErrTooMuchData is returned when application data would exceed [MaxData].
// Nothing is written then.
var ErrTooMuchData = fmt.Errorf("lanyard: application data of a session is limited to %d bytes", MaxData)

// ErrPrecondition is returned by [Manager.ChangeData] when the data is no longer
// at the version asked for.
var ErrPrecondition = errors.New("lanyard: the data was changed meanwhile")

// ErrNotObject is returned by [Manager.ChangeData] when what shall be kept is not
// a JSON object. Nothing is written then.
var ErrNotObject = errors.New("lanyard: application data of a session is a JSON object")

// Data is one value that an application keeps with each session, such as a cart
// or a message to show once. It is kept apart from what the session is judged
// by: nothing in it lifts or lengthens a session. Make one per value, as a
// package variable; it holds no state and is safe for concurrent use by different
// requests. Within one request, Get and Update take turns.
type Data[T any] struct{ key string }

// NewData names a value. Two names are two values; T is encoded as JSON.
func NewData[T any](key string) Data[T] { return Data[T]{key} }

// Get returns the value of the request's session, or the zero T if there is
// none. It works for anonymous browsers and for people signed in alike.
func (d Data[T]) Get(ctx context.Context) (value T, err error) {
	rec := From(ctx).holder()
	if rec == nil {
		return value, nil
	}
	data, err := From(ctx).data(ctx)
	if err != nil {
		return value, err
	}
	all, err := dataMembers(data)
	if err != nil {
		return value, err
	}
	if raw, ok := all[d.key]; ok {
		if err := json.Unmarshal(raw, &value); err != nil {
			return value, fmt.Errorf("reading session data %q: %w", d.key, err)
		}
	}
	return value, nil
}

// Update changes the value by do, which may run more than once: when another
// request changed the session's data meanwhile, it runs again on the newer
// value, so that no change is lost. An error from do leaves the data alone. A
// browser that is not signed in gets a cookie and an anonymous record the first
// time, so call Update before the response is written.
func (d Data[T]) Update(w http.ResponseWriter, r *http.Request, do func(*T) error) error {
	s := From(r.Context())
	if s.manager == nil {
		return errors.New("lanyard: Data.Update: the request did not pass a Manager's Handler")
	}
	return s.manager.changeData(r.Context(), w, r, s, func(old []byte) ([]byte, error) {
		all, err := dataMembers(old)
		if err != nil {
			return nil, err
		}
		var value T
		if raw, ok := all[d.key]; ok {
			if err := json.Unmarshal(raw, &value); err != nil {
				return nil, fmt.Errorf("reading session data %q: %w", d.key, err)
			}
		}
		if err := do(&value); err != nil {
			return nil, err
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("writing session data %q: %w", d.key, err)
		}
		if all == nil {
			all = map[string]json.RawMessage{}
		}
		all[d.key] = raw
		return json.Marshal(all)
	})
}

// holder is the record that holds the request's data.
func (s *Session) holder() *Record {
	if s.rec != nil {
		return s.rec
	}
	return s.anon
}

// data is the application data of the request's record, as the request found it.
// The near cache has none, so that no request reads what another node has
// replaced.
func (s *Session) data(ctx context.Context) ([]byte, error) {
	rec := s.holder()
	if !s.near {
		return rec.Data, nil
	}
	stored, err := s.manager.store.Get(ctx, rec.SID)
	if err != nil {
		return nil, s.manager.changeError("reading session data", rec.SID, err)
	}
	return stored.Data, nil
}

// Data returns all application data of the session as a JSON object and its
// version, for programs in other languages.
func (m *Manager) Data(ctx context.Context, s *Session) (object []byte, version string, err error) {
	holder := s.holder()
	if holder == nil {
		return nil, "", refuse(CauseNone, SID{})
	}
	rec, err := m.store.Get(ctx, holder.SID)
	if err != nil {
		return nil, "", m.changeError("reading session data", holder.SID, err)
	}
	return dataObject(rec.Data), dataVersion(rec.Data), nil
}

// ChangeData replaces all application data by what do makes of it, a JSON object;
// do may run more than once. With a version, the data must still be at it, else
// [ErrPrecondition]. The new version is returned.
func (m *Manager) ChangeData(ctx context.Context, s *Session, version string, do func(object []byte) ([]byte, error)) (object []byte, newVersion string, err error) {
	if s.holder() == nil {
		return nil, "", refuse(CauseNone, SID{})
	}
	err = m.changeData(ctx, nil, nil, s, func(old []byte) ([]byte, error) {
		if version != "" && version != dataVersion(old) {
			return nil, ErrPrecondition
		}
		if object, err = do(dataObject(old)); err != nil {
			return nil, err
		}
		if all, err := dataMembers(object); err != nil || all == nil {
			return nil, ErrNotObject
		}
		return object, nil
	})
	if err != nil {
		return nil, "", err
	}
	return object, dataVersion(object), nil
}

func (m *Manager) changeData(ctx context.Context, w http.ResponseWriter, r *http.Request, s *Session, do func([]byte) ([]byte, error)) error {
	next := func(old []byte) ([]byte, error) {
		data, err := do(old)
		if err != nil {
			return nil, &callerError{err}
		}
		if len(data) > MaxData {
			return nil, &callerError{ErrTooMuchData}
		}
		return data, nil
	}
	holder := s.holder()
	if s.Program() {
		return refuse(CauseNotSignedIn, SID{}) // it has no browser to keep a cookie in
	}
	if holder == nil {
		data, err := next(nil)
		if err != nil {
			return uncalled(err)
		}
		s.anon, s.pre, err = m.anonymous(ctx, w, r, data)
		return err
	}
	now := m.now()
	rec, err := m.change(ctx, holder.SID, func(rec *Record) (bool, []Entry, error) {
		if err := usable(rec, now); err != nil && !(rec.State == StateAnonymous && rec.Live(now)) {
			return false, nil, err
		}
		if rec.Generation != holder.Generation {
			return false, nil, refuse(CauseOldGeneration, rec.SID)
		}
		data, err := next(rec.Data)
		if err != nil || bytes.Equal(data, rec.Data) {
			return false, nil, err
		}
		rec.Data = data
		if rec.State == StateAnonymous {
			// Nothing else counts the activity of a browser without a session.
			rec.LastActive = now
			rec.IdleExpiresAt = m.policy.idleDeadline(ChannelCookie, now, rec.ExpiresAt)
		}
		return true, nil, nil
	})
	if err != nil {
		return uncalled(m.changeError("writing session data", holder.SID, err))
	}
	holder.Data, s.near = slices.Clone(rec.Data), false
	return nil
}

// uncalled gives an application its own error back.
func uncalled(err error) error {
	if c, ok := errors.AsType[*callerError](err); ok {
		return c.err
	}
	return err
}

func dataMembers(data []byte) (map[string]json.RawMessage, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("reading session data: %w", err)
	}
	return all, nil
}

func dataObject(data []byte) []byte {
	if len(data) == 0 {
		return []byte("{}")
	}
	return slices.Clone(data)
}

// dataVersion names a state of the data. It is derived from the data alone, so
// that activity does not change it.
func dataVersion(data []byte) string {
	sum := sha256.Sum256(dataObject(data))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// carry keeps the members named, for a login.
func carry(data []byte, names []string) ([]byte, error) {
	all, err := dataMembers(data)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	kept := map[string]json.RawMessage{}
	for _, name := range names {
		if raw, ok := all[name]; ok {
			kept[name] = raw
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	return json.Marshal(kept)
}
