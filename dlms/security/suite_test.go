package security_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// Keys of suite 2, and what another implementation of AES-GCM makes of the APDU,
// title and counter of the Green Book with them, or with those of suite 0.
const (
	encryptionKey2     = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	authenticationKey2 = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEF"
	both1              = "31 01234567 411312FF935A47566827C467BC E8691C99484B00B2449055B5"
	both2              = "32 01234567 E82B2AD3EE8C12A6FB27038F08 442193498C6A53DE55EEB9D2"
	onlyAuthenticated2 = "12 01234567 C0010000080000010000FF0200 B2D2B6A0A8DD79BA67B3C7EE"
	onlyEncrypted2     = "22 01234567 E82B2AD3EE8C12A6FB27038F08"

	// the header fields of a general-ciphering, and what it has with them
	extra                  = "08 0102030405060708 08 4D4D4D0000BC614E 08 4D4D4D0000000001 00 00"
	bothExtra              = "30 01234567 411312FF935A47566827C467BC 7CB6A92695EF3E4D35BE7F6B"
	onlyAuthenticatedExtra = "10 01234567 C0010000080000010000FF0200 436315458788A1008BA39DF7"
)

// suiteContext has the keys of a suite.
func suiteContext(t testing.TB, suite uint8) *security.Context {
	t.Helper()
	k := security.Keys{Suite: suite, EncryptionKey: octets(t, encryptionKey), AuthenticationKey: octets(t, authenticationKey)}
	if suite == 2 {
		k.EncryptionKey, k.AuthenticationKey = octets(t, encryptionKey2), octets(t, authenticationKey2)
	}
	c, err := security.NewContext(k)
	require.NoError(t, err)
	return c
}

func TestVectorsOfSuites(t *testing.T) {
	for suite, vectors := range map[uint8]map[security.Control]string{
		0: {0x30: both},
		1: {0x30: both1, 0x20: "21" + onlyEncrypted[2:]},
		2: {0x30: both2, 0x10: onlyAuthenticated2, 0x20: onlyEncrypted2},
	} {
		c := suiteContext(t, suite)
		for control, want := range vectors {
			for named := range security.Control(16) { // what the caller names does not count
				require.Equal(t, octets(t, want), c.Seal(nil, octets(t, title), control|named, 0x01234567, octets(t, plain)))
			}
			got, err := c.Open(nil, octets(t, title), octets(t, want), getRequest)
			if control&security.Authenticated == 0 {
				require.Equal(t, security.Unauthenticated, reason(t, err))
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, octets(t, plain), got)
		}
	}
	want := octets(t, "12 01234567 4630FC2F1ED85AF78DCE6BF8")
	c := suiteContext(t, 2)
	require.Equal(t, want, c.AppendGMAC(nil, octets(t, title), 0x01234567, []byte("K56iVagY")))
	require.True(t, c.VerifyGMAC(octets(t, title), []byte("K56iVagY"), want))
}

// TestWhichSuiteOpensWhich seals with each suite and opens with each.
func TestWhichSuiteOpensWhich(t *testing.T) {
	st := octets(t, title)
	for ours := range uint8(3) {
		c := suiteContext(t, ours)
		for theirs := range uint8(3) {
			sender := suiteContext(t, theirs)
			same := ours/2 == theirs/2
			for _, control := range []security.Control{security.Authenticated, security.Authenticated | security.Encrypted} {
				p := sender.Seal(nil, st, control, 7, octets(t, plain))
				got, err := c.Open(nil, st, p, getRequest)
				if same {
					require.NoError(t, err, "suite %d opens %d", ours, theirs)
					require.Equal(t, octets(t, plain), got)
					continue
				}
				require.Equal(t, security.Unsupported, reason(t, err), "suite %d opens %d", ours, theirs)
				require.EqualError(t, err, fmt.Sprintf("security suite %d is not supported by these keys: they are of suite %d and have %d octets, suite %d needs keys of %d",
					theirs, ours, security.KeyLengthOf(ours), theirs, security.KeyLengthOf(theirs)))
				require.Empty(t, got)
			}
			require.Equal(t, same, c.VerifyGMAC(st, []byte("K56iVagY"), sender.AppendGMAC(nil, st, 7, []byte("K56iVagY"))))
		}
		for named := byte(3); named < 16; named++ {
			for _, control := range []byte{0x00, 0x10, 0x20, 0x30} {
				_, err := c.Open(nil, st, append([]byte{control | named}, make([]byte, 40)...), getRequest)
				require.Equal(t, security.Unsupported, reason(t, err))
				require.EqualError(t, err, fmt.Sprintf("security suite %d is not supported", named))
			}
			require.False(t, c.VerifyGMAC(st, nil, append([]byte{0x10 | named}, make([]byte, 16)...)))
		}
	}
}

func TestHeaderFieldsAreCoveredByTheTag(t *testing.T) {
	c := suiteContext(t, 0)
	st, fields := octets(t, title), octets(t, extra)
	for control, vector := range map[security.Control]string{security.Authenticated: onlyAuthenticatedExtra, security.Authenticated | security.Encrypted: bothExtra} {
		p := c.SealWith(nil, st, control, 0x01234567, fields, octets(t, plain))
		require.Equal(t, octets(t, vector), p)
		got, err := c.OpenWith(nil, st, p, fields, getRequest)
		require.NoError(t, err)
		require.Equal(t, octets(t, plain), got)
		_, err = c.Open(nil, st, p, getRequest)
		require.Equal(t, security.WrongTag, reason(t, err), "without the fields")
		for i := range fields {
			for bit := range 8 {
				fields[i] ^= 1 << bit
				_, err := c.OpenWith(nil, st, p, fields, getRequest)
				require.Equal(t, security.WrongTag, reason(t, err), "octet %d", i)
				fields[i] ^= 1 << bit
			}
		}
		for n := range fields {
			_, err := c.OpenWith(nil, st, p, fields[:n], getRequest)
			require.Equal(t, security.WrongTag, reason(t, err), "%d octets", n)
		}
	}
	require.Equal(t, octets(t, onlyEncrypted), c.SealWith(nil, st, security.Encrypted, 0x01234567, fields, octets(t, plain)), "without a tag they do not matter")
}

func TestEveryChangedBitOfSuiteTwoIsNoticed(t *testing.T) {
	c := suiteContext(t, 2)
	for _, whole := range []string{both2, onlyAuthenticated2} {
		p := octets(t, whole)
		for i := range p {
			for bit := range 8 {
				p[i] ^= 1 << bit
				got, err := c.Open(nil, octets(t, title), p, getRequest)
				require.Error(t, err, "octet %d, bit %d: %x", i, bit, got)
				p[i] ^= 1 << bit
			}
		}
		for n := range p {
			_, err := c.Open(nil, octets(t, title), p[:n], getRequest)
			require.Error(t, err, "%d octets", n)
		}
	}
	answer := c.AppendGMAC(nil, octets(t, title), 7, []byte("K56iVagY"))
	for i := range answer {
		for bit := range 8 {
			answer[i] ^= 1 << bit
			require.False(t, c.VerifyGMAC(octets(t, title), []byte("K56iVagY"), answer), "octet %d, bit %d", i, bit)
			answer[i] ^= 1 << bit
		}
	}
}

func TestKeysOfSuites(t *testing.T) {
	key := func(n int) []byte { return bytes.Repeat([]byte{0x5A}, n) }
	for _, c := range []struct {
		suite                      uint8
		encryption, authentication int
		want                       string
	}{
		{0, 16, 0, ""}, {1, 16, 16, ""}, {2, 32, 32, ""}, {2, 32, 0, ""},
		{0, 32, 0, "encryption key of 32 octets: suite 0 has keys of 16, suite 2 has such keys"},
		{0, 32, 32, "encryption key of 32 octets: suite 0 has keys of 16, suite 2 has such keys"},
		{1, 16, 32, "authentication key of 32 octets: suite 1 has keys of 16, suite 2 has such keys"},
		{2, 16, 16, "encryption key of 16 octets: suite 2 has keys of 32, suites 0 and 1 have such keys"},
		{2, 32, 16, "authentication key of 16 octets: suite 2 has keys of 32, suites 0 and 1 have such keys"},
		{2, 0, 0, "encryption key of 0 octets: suite 2 has keys of 32"},
		{1, 24, 0, "encryption key of 24 octets: suite 1 has keys of 16"},
		{3, 16, 16, "security suite 3 is not known: 0, 1 and 2 are"},
	} {
		_, err := security.NewContext(security.Keys{Suite: c.suite, EncryptionKey: key(c.encryption), AuthenticationKey: key(c.authentication)})
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, c.want)
	}
	require.Equal(t, []int{16, 16, 32, 0}, []int{security.KeyLengthOf(0), security.KeyLengthOf(1), security.KeyLengthOf(2), security.KeyLengthOf(3)})
}

// kibibyte is an APDU of 1 KiB, sealed by the suite.
func kibibyte(t testing.TB, suite uint8) (c *security.Context, title8, protected []byte) {
	c, title8 = suiteContext(t, suite), octets(t, title)
	apdu := append(octets(t, plain), make([]byte, 1024-len(plain)/2)...)
	return c, title8, c.Seal(nil, title8, security.Authenticated|security.Encrypted, 7, apdu)
}

func TestOpenAllocatesNothing(t *testing.T) {
	for _, suite := range []uint8{0, 2} {
		c, st, p := kibibyte(t, suite)
		dst := make([]byte, 0, 1024)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if got, err := c.Open(dst, st, p, getRequest); err != nil || len(got) != 1024 {
				t.Error(len(got), err)
			}
		}), "suite %d", suite)
		sealed := make([]byte, 0, 2048)
		require.Zero(t, testing.AllocsPerRun(100, func() { c.Seal(sealed, st, 0x30, 8, p[:512]) }), "suite %d", suite)
	}
}

func BenchmarkOpen1KiB(b *testing.B) {
	for _, suite := range []uint8{0, 2} {
		b.Run(fmt.Sprintf("suite%d", suite), func(b *testing.B) {
			c, st, p := kibibyte(b, suite)
			dst := make([]byte, 0, 1024)
			b.SetBytes(1024)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Open(dst, st, p, getRequest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
