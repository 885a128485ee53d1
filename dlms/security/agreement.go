package security

import (
	"encoding/binary"
	"fmt"
)

// algorithm is the AlgorithmID of the key that is derived, but for its last
// octet: 0 AES-GCM-128, 1 AES-GCM-256, 2 AES-WRAP-128, 3 AES-WRAP-256.
var algorithm = [6]byte{0x60, 0x85, 0x74, 0x05, 0x08, 0x03}

// DeriveKey makes the key of AES-GCM from the secret that [PrivateKey.Agree]
// returns: 16 octets with suite 1, 32 with suite 2. It is the concatenation KDF
// of NIST SP 800-56A with SHA-256 or SHA-384, as the Green Book Ed. 9, clause
// 9.2.3.4 has it. What the parties are depends on the scheme:
// [PartiesEphemeralUnified], [PartiesOnePass] and [PartiesStaticUnified].
func DeriveKey(suite uint8, z, partyU, partyV []byte) ([]byte, error) {
	_, size, err := curveOf(suite)
	switch {
	case err != nil:
		return nil, err
	case len(z) != size:
		return nil, fmt.Errorf("key derivation: a shared secret of %d octets, suite %d has %d", len(z), suite, size)
	}
	b := binary.BigEndian.AppendUint32(nil, 1) // one round is enough for every key
	b = append(append(b, z...), algorithm[:]...)
	b = append(b, suite-1)
	b = append(append(b, partyU...), partyV...)
	return digest(suite, b)[:KeyLengthOf(suite)], nil
}

// PartiesEphemeralUnified are the parties of C(2e, 0s), where both sides have an
// ephemeral key: the system titles, of the originator first.
func PartiesEphemeralUnified(originator, recipient []byte) (partyU, partyV []byte, err error) {
	return parties(originator, nil, recipient)
}

// PartiesOnePass are the parties of C(1e, 1s), where the originator has an
// ephemeral key and the recipient a static one: the system titles.
func PartiesOnePass(originator, recipient []byte) (partyU, partyV []byte, err error) {
	return parties(originator, nil, recipient)
}

// PartiesStaticUnified are the parties of C(0e, 2s), where both sides have a
// static key: the system titles, and behind that of the originator the
// transaction-id of the APDU with its length in front, which makes each key
// another one. That the length belongs to it is not proven by a capture.
func PartiesStaticUnified(originator, transaction, recipient []byte) (partyU, partyV []byte, err error) {
	if len(transaction) == 0 || len(transaction) > maxTransaction {
		return nil, nil, fmt.Errorf("key agreement: a transaction-id of %d octets, want 1 to %d", len(transaction), maxTransaction)
	}
	return parties(originator, append([]byte{byte(len(transaction))}, transaction...), recipient)
}

// maxTransaction is the longest transaction-id whose length is one octet.
const maxTransaction = 127

func parties(originator, transaction, recipient []byte) (partyU, partyV []byte, err error) {
	if len(originator) != TitleLength || len(recipient) != TitleLength {
		return nil, nil, fmt.Errorf("key agreement: system titles of %d and %d octets, want %d", len(originator), len(recipient), TitleLength)
	}
	return join(originator, transaction), join(recipient), nil
}
