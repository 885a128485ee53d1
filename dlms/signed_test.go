package dlms_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// signedPush is a push, its ciphertext for sealed, in general-signing.
const signedPush = "DF" + "020102" + "0858595A0000BC614E" + "00" + "00" + "00"

func signedAround(t *testing.T, content []byte) []byte {
	t.Helper()
	s := xdlms.Signed{
		Title: []byte("XYZ\x00\x00\xBC\x61\x4E"), General: xdlms.GeneralHeader{Transaction: []byte{1, 2}},
		Content: content, Signature: make([]byte, 64),
	}
	b := s.Append(nil)
	require.Equal(t, signedPush, hexUpper(b[:len(signedPush)/2]))
	return b
}

func hexUpper(b []byte) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, hex.EncodedLen(len(b)))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

// layersOf makes ciphered APDUs, and opens them.
func layersOf(t *testing.T) (seal func(plain []byte) []byte, u *dlms.Unwrapper) {
	t.Helper()
	keys, err := security.NewContext(security.Keys{EncryptionKey: make([]byte, 16), AuthenticationKey: make([]byte, 16)})
	require.NoError(t, err)
	title := []byte("XYZ\x00\x00\xBC\x61\x4E")
	counter := uint32(0)
	seal = func(plain []byte) []byte {
		counter++
		c := xdlms.Ciphered{Tag: xdlms.TagGeneralGloCiphering, Title: title}
		c.Protected = keys.Seal(nil, title, security.Authenticated|security.Encrypted, counter, plain)
		return c.Append(nil)
	}
	return seal, &dlms.Unwrapper{Open: func(dst []byte, c xdlms.Ciphered) ([]byte, error) {
		return keys.Open(dst, c.Title, c.Protected, dlms.Plausible)
	}}
}

var plainPush = []byte("\x0F\x00\x00\x00\x01\x00\x02\x02\x09\x06\x01\x00\x01\x08\x00\xFF\x06\x00\x01\xE2\x40")

func TestSignedLength(t *testing.T) {
	b := signedAround(t, plainPush)
	require.Equal(t, len(b), dlms.APDULength(b))
	require.Equal(t, len(b), dlms.APDULength(append(b, 0x0F)))
	for n := range len(b) {
		require.Zero(t, dlms.APDULength(b[:n]), "%d octets", n)
	}
	require.Equal(t, -1, dlms.APDULength([]byte{0xDF, 0, 7, 0}), "a title of 7 octets")
}

// A signature is taken off and not verified, whatever is around it and inside.
func TestUnwrapSigned(t *testing.T) {
	seal, u := layersOf(t)
	for _, c := range []struct {
		name             string
		apdu             []byte
		signed, ciphered bool
	}{
		{"plain", plainPush, false, false},
		{"signed", signedAround(t, plainPush), true, false},
		{"ciphered and signed", signedAround(t, seal(plainPush)), true, true},
		{"signed and ciphered", seal(signedAround(t, plainPush)), true, true},
		{"ciphered twice", seal(seal(plainPush)), false, true},
		{"three times", seal(seal(seal(plainPush))), false, true},
		{"ciphered, signed and ciphered", seal(signedAround(t, seal(plainPush))), true, true},
	} {
		x, err := u.Unwrap(dlms.Message{APDU: c.apdu})
		require.NoError(t, err, c.name)
		require.Equal(t, plainPush, x.APDU, c.name)
		require.Equal(t, c.signed, x.Signed, c.name)
		require.Equal(t, c.ciphered, x.Ciphered != nil, c.name)
	}
	b := signedAround(t, plainPush)
	for n := 1; n < len(b); n++ {
		x, err := u.Unwrap(dlms.Message{APDU: b[:n]})
		require.Error(t, err, "%d octets", n)
		require.Nil(t, x.APDU)
	}
	bad := seal(plainPush)
	bad[len(bad)-1] ^= 1
	x, err := u.Unwrap(dlms.Message{APDU: signedAround(t, bad)})
	var sec *security.Error
	require.True(t, errors.As(err, &sec))
	require.Nil(t, x.APDU, "a signature proves nothing")
	require.Positive(t, u.Held())
}

// Signed pushes are cut from a stream without frames.
func TestDeframeSigned(t *testing.T) {
	b := signedAround(t, plainPush)
	d := dlms.NewDeframer(dlms.DeframerConfig{})
	for i := range 2 * len(b) {
		d.Write(b[i%len(b) : i%len(b)+1])
		m, ok := d.Next()
		require.Equal(t, (i+1)%len(b) == 0, ok, "octet %d", i)
		if ok {
			require.Equal(t, b, m.APDU)
		}
	}
	require.Zero(t, d.Stats().Skipped)
}
