package server

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// listID is one list: of the indices that some node has drawn for sessions of one
// global epoch.
type listID struct {
	list  [16]byte
	epoch uint64
}

// listNames writes lists into addresses. Nobody keeps a register of lists: a tag
// tells any node that a name is the server's own, so that names made up by
// strangers cost neither a look into the store nor a signature.
type listNames struct {
	keys [][]byte // of the server secrets, the current one first
}

const (
	listIDSize   = 16 + 8
	listTagSize  = 8
	listNameText = 43 // characters of base64url
)

func newListNames(secrets []lanyard.ServerSecret) (n listNames, err error) {
	for _, s := range secrets {
		key, err := hkdf.Key(sha256.New, s.Value, nil, "lanyard/1 status list", sha256.Size)
		if err != nil {
			return n, fmt.Errorf("deriving the key of status lists: %w", err)
		}
		n.keys = append(n.keys, key)
	}
	return n, nil
}

// name returns what stands in the list's address.
func (n *listNames) name(id listID) string {
	b := append(make([]byte, 0, listIDSize+sha256.Size), id.list[:]...)
	b = binary.BigEndian.AppendUint64(b, id.epoch)
	return base64.RawURLEncoding.EncodeToString(append(b, listTag(n.keys[0], b)...))
}

// parse reads a name; ok is false for those that no node of this server wrote.
func (n *listNames) parse(text string) (id listID, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) != listNameText || len(b) != listIDSize+listTagSize {
		return listID{}, false
	}
	for _, key := range n.keys {
		if hmac.Equal(b[listIDSize:], listTag(key, b[:listIDSize])) {
			copy(id.list[:], b)
			id.epoch = binary.BigEndian.Uint64(b[16:])
			return id, true
		}
	}
	return listID{}, false
}

func listTag(key, id []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(id)
	return h.Sum(nil)[:listTagSize]
}
