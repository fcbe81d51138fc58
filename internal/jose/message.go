package jose

import (
	"fmt"
	"strings"
)

// Message is a compact JWS (RFC 7515 section 7.1) whose form and header have
// been checked and whose signature has not. Its payload can be had only from
// [Message.Verify].
type Message struct {
	Header    Header
	signed    string // header.payload, the bytes that were signed
	payload   string
	signature string
}

// Parse checks the form of raw (at most maxSize bytes, three non-empty parts of
// the base64url alphabet) and then its header against the policy. Text over
// the limit is refused before anything is read from it.
func Parse(raw string, maxSize int, policy HeaderPolicy) (Message, error) {
	header, payload, signature, err := split(raw, maxSize)
	if err != nil {
		return Message{}, err
	}
	h, err := parseHeader(header, policy)
	if err != nil {
		return Message{}, err
	}
	return Message{h, raw[:len(header)+1+len(payload)], payload, signature}, nil
}

// split cuts a compact JWS at its dots. Every byte is looked at first: decoders
// that skip line breaks would otherwise give one token many spellings.
func split(raw string, maxSize int) (header, payload, signature string, err error) {
	if len(raw) > maxSize {
		return "", "", "", fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLong, len(raw), maxSize)
	}
	for i := range len(raw) {
		if c := raw[i]; !isBase64URL[c] && c != '.' {
			return "", "", "", fmt.Errorf("%w: byte %d is outside the alphabet", ErrForm, i)
		}
	}
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	if header == "" || payload == "" || signature == "" || strings.Contains(signature, ".") {
		return "", "", "", fmt.Errorf("%w: not three non-empty parts", ErrForm)
	}
	return header, payload, signature, nil
}

// UnverifiedIssuer returns the iss of a payload whose signature has not been
// checked. It is for choosing whose keys to check it with and for nothing else.
func (m *Message) UnverifiedIssuer() (string, error) {
	var buf [1024]byte
	payload, err := decodeScanned(buf[:0], m.payload)
	if err != nil {
		return "", err
	}
	members, err := ParseObject(nil, string(payload), Limits{})
	if err != nil {
		return "", err
	}
	for _, member := range members {
		if member.Name == "iss" {
			if iss, ok := member.Value.Str(); ok && iss != "" {
				return iss, nil
			}
		}
	}
	return "", fmt.Errorf("%w: iss is missing", ErrForm)
}

// Verify checks the signature with k and returns the payload, decoded but not
// parsed. The header's algorithm must be the key's own. The error never tells
// why a signature does not fit.
func (m *Message) Verify(k *PublicKey) (string, error) {
	if m.Header.Algorithm.canonical() != k.alg.canonical() {
		return "", fmt.Errorf("%w: the key is for another one", ErrAlgorithm)
	}
	var sigBuf [512]byte
	sig, err := decodeScanned(sigBuf[:0], m.signature)
	if err != nil {
		return "", err
	}
	if err := k.verify([]byte(m.signed), sig); err != nil {
		return "", err
	}
	var buf [1024]byte
	payload, err := decodeScanned(buf[:0], m.payload)
	if err != nil {
		return "", err
	}
	return string(payload), nil
}
