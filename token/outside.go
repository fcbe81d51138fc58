package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrSigner means that a signer outside of this process, a hardware module or a
// key service, failed, did not answer in time, or answered with a signature that
// does not fit its key.
var ErrSigner = errors.New("token: signer failed")

const (
	signTimeout = 5 * time.Second // for one signature, waiting for a turn included
	signsAtOnce = 64
)

// outside bounds a signer that may be slow or broken: a call takes five seconds at
// most, and 64 calls are under way at most, whatever happens to the signer. What
// it returns is verified, because a token that nobody accepts is worse than an
// error: its client would have used up its refresh token for it.
type outside struct {
	crypto.Signer
	turns chan struct{}
}

// bounded wraps a signer unless it is a key in memory.
func bounded(s crypto.Signer) crypto.Signer {
	switch s.(type) {
	case nil, *ecdsa.PrivateKey, ed25519.PrivateKey, *rsa.PrivateKey:
		return s
	}
	return &outside{s, make(chan struct{}, signsAtOnce)}
}

type signed struct {
	sig []byte
	err error
}

// Sign implements crypto.Signer.
func (o *outside) Sign(rand io.Reader, input []byte, opts crypto.SignerOpts) ([]byte, error) {
	limit := time.NewTimer(signTimeout)
	defer limit.Stop()
	select {
	case o.turns <- struct{}{}:
	case <-limit.C:
		return nil, fmt.Errorf("%w: no turn within %v, %d calls are waiting for its answer", ErrSigner, signTimeout, signsAtOnce)
	}
	done := make(chan signed, 1)
	own := bytes.Clone(input) // a late signer must not read what we use again
	go func() {
		defer func() {
			if p := recover(); p != nil { // nobody above would catch it here
				done <- signed{err: fmt.Errorf("it panicked: %v", p)}
			}
			<-o.turns
		}()
		sig, err := o.Signer.Sign(rand, own, opts)
		done <- signed{sig, err}
	}()
	select {
	case <-limit.C:
		return nil, fmt.Errorf("%w: no answer within %v", ErrSigner, signTimeout)
	case s := <-done:
		if s.err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSigner, s.err)
		}
		if !fits(o.Public(), input, s.sig) {
			return nil, fmt.Errorf("%w: its signature does not fit its key", ErrSigner)
		}
		return s.sig, nil
	}
}

func fits(public crypto.PublicKey, input, sig []byte) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, input, sig)
	case ed25519.PublicKey:
		return ed25519.Verify(k, input, sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, input, sig) == nil
	}
	return false
}
