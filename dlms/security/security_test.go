package security_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// The vectors of the Green Book: keys, title and counter are the same in all.
const (
	encryptionKey     = "000102030405060708090A0B0C0D0E0F"
	authenticationKey = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
	title             = "4D4D4D0000BC614E"
	plain             = "C0010000080000010000FF0200"
	onlyAuthenticated = "10 01234567 C0010000080000010000FF0200 06725D910F9221D263877516"
	onlyEncrypted     = "20 01234567 411312FF935A47566827C467BC"
	both              = "30 01234567 411312FF935A47566827C467BC 7D825C3BE4A77C3FCC056B6B"
)

func context(t testing.TB, encryption, authentication string) *security.Context {
	t.Helper()
	c, err := security.NewContext(security.Keys{EncryptionKey: octets(t, encryption), AuthenticationKey: octets(t, authentication)})
	require.NoError(t, err)
	return c
}

func getRequest(b []byte) bool { return len(b) > 2 && b[0] == 0xC0 && b[1] == 1 }

func reason(t testing.TB, err error) security.Reason {
	t.Helper()
	var e *security.Error
	require.ErrorAs(t, err, &e)
	return e.Reason
}

func TestVectorsOfTheGreenBook(t *testing.T) {
	c := context(t, encryptionKey, authenticationKey)
	for _, p := range []string{both, onlyAuthenticated} {
		got, err := c.Open(nil, octets(t, title), octets(t, p), getRequest)
		require.NoError(t, err, p)
		require.Equal(t, octets(t, plain), got)
	}
	got, err := c.Open([]byte{0xAA}, octets(t, title), octets(t, onlyEncrypted), getRequest)
	require.Equal(t, security.Unauthenticated, reason(t, err), "there is no tag")
	require.Equal(t, append([]byte{0xAA}, octets(t, plain)...), got)
}

func TestSuiteOneInNameOnly(t *testing.T) {
	c := context(t, encryptionKey, "")
	p := octets(t, onlyEncrypted)
	p[0] = 0x21
	got, err := c.Open(nil, octets(t, title), p, getRequest)
	require.Equal(t, security.Unauthenticated, reason(t, err))
	require.Equal(t, octets(t, plain), got)
	p[0] = 0x22
	_, err = c.Open(nil, octets(t, title), p, getRequest)
	require.Equal(t, security.Unsupported, reason(t, err))
	p[0] = 0xA0
	_, err = c.Open(nil, octets(t, title), p, getRequest)
	require.Equal(t, security.Unsupported, reason(t, err))
}

func TestWhichKeyIsWrong(t *testing.T) {
	other := "11111111111111111111111111111111"
	for _, c := range []struct {
		name, encryption, authentication, protected string
		want                                        security.Reason
		opened                                      bool
	}{
		{"encryption key, both", other, authenticationKey, both, security.WrongKey, false},
		{"encryption key, encrypted", other, "", onlyEncrypted, security.WrongKey, false},
		{"encryption key, no authentication key", other, "", both, security.WrongKey, false},
		{"authentication key", encryptionKey, other, both, security.WrongTag, false},
		{"authentication key, authenticated", encryptionKey, other, onlyAuthenticated, security.WrongTag, false},
		{"missing authentication key", encryptionKey, "", both, security.MissingKey, true},
		{"missing authentication key, authenticated", encryptionKey, "", onlyAuthenticated, security.MissingKey, true},
		{"no protection", encryptionKey, authenticationKey, "00 01234567 C0010000080000010000FF0200", security.Unauthenticated, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := context(t, c.encryption, c.authentication).Open(nil, octets(t, title), octets(t, c.protected), getRequest)
			require.Equal(t, c.want, reason(t, err))
			if c.opened {
				require.Equal(t, octets(t, plain), got)
			} else {
				require.Empty(t, got)
			}
		})
	}
}

func TestEveryChangedOctetIsNoticed(t *testing.T) {
	c := context(t, encryptionKey, authenticationKey)
	for _, whole := range []string{both, onlyAuthenticated} {
		p := octets(t, whole)
		for i := range p {
			for bit := range 8 {
				p[i] ^= 1 << bit
				if got, err := c.Open(nil, octets(t, title), p, getRequest); err == nil {
					t.Fatalf("octet %d, bit %d: %x", i, bit, got)
				}
				p[i] ^= 1 << bit
			}
		}
		for n := range p {
			_, err := c.Open(nil, octets(t, title), p[:n], getRequest)
			require.Error(t, err, "%d octets", n)
		}
	}
	wrong := octets(t, title)
	wrong[7]++
	_, err := c.Open(nil, wrong, octets(t, both), getRequest)
	require.Equal(t, security.WrongKey, reason(t, err))
	_, err = c.Open(nil, wrong[:7], octets(t, both), getRequest)
	require.Equal(t, security.Malformed, reason(t, err))
}

func TestKeysOfOtherLengths(t *testing.T) {
	_, err := security.NewContext(security.Keys{EncryptionKey: make([]byte, 15)})
	require.EqualError(t, err, "encryption key of 15 octets: suite 0 has keys of 16")
	_, err = security.NewContext(security.Keys{EncryptionKey: make([]byte, 16), AuthenticationKey: make([]byte, 32)})
	require.EqualError(t, err, "authentication key of 32 octets: suite 0 has keys of 16, suite 2 has such keys")
	_, err = security.NewContext(security.Keys{})
	require.EqualError(t, err, "encryption key of 0 octets: suite 0 has keys of 16")
}

func TestControl(t *testing.T) {
	require.Equal(t, "authenticated and encrypted, suite 0", security.Control(0x30).String())
	require.Equal(t, "encrypted, suite 1", security.Control(0x21).String())
	require.Equal(t, "authenticated, suite 0, broadcast key", security.Control(0x50).String())
	require.Equal(t, "not protected, suite 0, compressed", security.Control(0x80).String())
	n, ok := security.Counter(octets(t, both))
	require.True(t, ok)
	require.Equal(t, uint32(0x01234567), n)
	_, ok = security.Counter([]byte{0x30, 0, 0, 0})
	require.False(t, ok)
}
