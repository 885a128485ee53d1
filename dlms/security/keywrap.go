package security

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// wrapBlock is the unit of key wrap: a half of a block of AES.
const wrapBlock = 8

// wrapCheck is in front of the key before it is wrapped, and after it is
// unwrapped with the right key (RFC 3394, clause 2.2.3.1).
const wrapCheck = 0xA6A6A6A6A6A6A6A6

// MaxWrapped is how many octets a key that is wrapped has at most. There is none
// of more than 32 in DLMS.
const MaxWrapped = 256

// WrapKey encrypts a key with a key-encrypting key of 16 (suites 0 and 1) or 32
// octets (suite 2) by RFC 3394. key has a multiple of 8 octets, 16 at least; the
// result has 8 more. No error holds octets of a key.
func WrapKey(kek, key []byte) ([]byte, error) {
	block, err := wrapCipher(kek)
	switch {
	case err != nil:
		return nil, fmt.Errorf("wrapping a key: %w", err)
	case len(key)%wrapBlock != 0 || len(key) < 2*wrapBlock || len(key) > MaxWrapped:
		return nil, fmt.Errorf("wrapping a key: it has %d octets, want a multiple of %d from %d to %d", len(key), wrapBlock, 2*wrapBlock, MaxWrapped)
	}
	out := append(make([]byte, wrapBlock), key...)
	n := len(key) / wrapBlock
	var buf [aes.BlockSize]byte
	binary.BigEndian.PutUint64(buf[:], wrapCheck)
	for j := range 6 {
		for i := 1; i <= n; i++ {
			r := out[i*wrapBlock : (i+1)*wrapBlock]
			copy(buf[wrapBlock:], r)
			block.Encrypt(buf[:], buf[:])
			copy(r, buf[wrapBlock:])
			countStep(buf[:wrapBlock], n*j+i)
		}
	}
	copy(out, buf[:wrapBlock])
	return out, nil
}

// UnwrapKey decrypts what [WrapKey] has made. A wrong key-encrypting key, or a
// changed octet, is an error, and nothing of what came out is returned.
func UnwrapKey(kek, wrapped []byte) ([]byte, error) {
	block, err := wrapCipher(kek)
	switch {
	case err != nil:
		return nil, fmt.Errorf("unwrapping a key: %w", err)
	case len(wrapped)%wrapBlock != 0 || len(wrapped) < 3*wrapBlock || len(wrapped) > MaxWrapped+wrapBlock:
		return nil, fmt.Errorf("unwrapping a key: %d wrapped octets, want a multiple of %d from %d to %d", len(wrapped), wrapBlock, 3*wrapBlock, MaxWrapped+wrapBlock)
	}
	out := append([]byte(nil), wrapped[wrapBlock:]...)
	n := len(out) / wrapBlock
	var buf [aes.BlockSize]byte
	copy(buf[:], wrapped[:wrapBlock])
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			r := out[(i-1)*wrapBlock : i*wrapBlock]
			countStep(buf[:wrapBlock], n*j+i)
			copy(buf[wrapBlock:], r)
			block.Decrypt(buf[:], buf[:])
			copy(r, buf[wrapBlock:])
		}
	}
	var want [wrapBlock]byte
	binary.BigEndian.PutUint64(want[:], wrapCheck)
	if subtle.ConstantTimeCompare(buf[:wrapBlock], want[:]) != 1 {
		clear(out)
		return nil, errors.New("unwrapping a key: the integrity check fails: the key-encrypting (master) key is not the meter's, or the wrapped key was changed on its way")
	}
	return out, nil
}

// countStep adds the number of a step to the half of the block that is carried.
func countStep(half []byte, step int) {
	binary.BigEndian.PutUint64(half, binary.BigEndian.Uint64(half)^uint64(step))
}

// wrapCipher is AES with a key-encrypting key.
func wrapCipher(kek []byte) (cipher.Block, error) {
	if n := len(kek); n != KeyLengthOf(0) && n != KeyLengthOf(2) {
		return nil, fmt.Errorf("the key-encrypting key has %d octets, want %d (suites 0 and 1) or %d (suite 2)", n, KeyLengthOf(0), KeyLengthOf(2))
	}
	return aes.NewCipher(kek)
}
