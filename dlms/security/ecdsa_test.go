package security_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// signatures are those of "sample" of RFC 6979, clauses A.2.5 and A.2.6: private
// key, public key, signature.
var signatures = map[uint8]struct{ private, public, signature string }{
	1: {
		"C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
		"60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6 7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
		"EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716 F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
	},
	2: {
		"6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
		"EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13 8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720",
		"94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46 99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
	},
}

func privateKey(t testing.TB, suite uint8) *security.PrivateKey {
	t.Helper()
	k, err := security.ParsePrivateKey(suite, octets(t, signatures[suite].private))
	require.NoError(t, err)
	return k
}

func TestSignatures(t *testing.T) {
	for suite, v := range signatures {
		private := privateKey(t, suite)
		public, err := security.ParsePublicKey(suite, octets(t, v.public))
		require.NoError(t, err)
		require.True(t, public.Equal(private.Public()))
		require.Equal(t, octets(t, v.public), private.Public().Octets())
		require.Equal(t, suite, private.Suite())
		require.Equal(t, suite, public.Suite())

		published := octets(t, v.signature)
		require.True(t, public.Verify([]byte("sample"), published))
		ours, err := private.Sign([]byte("sample"))
		require.NoError(t, err)
		require.True(t, public.Verify([]byte("sample"), ours))
		for _, signature := range [][]byte{published, ours} {
			for i := range signature {
				for bit := range 8 {
					if suite == 2 && bit != i%8 {
						continue // P-384 is slow: one bit of every octet
					}
					signature[i] ^= 1 << bit
					require.False(t, public.Verify([]byte("sample"), signature), "octet %d, bit %d", i, bit)
					signature[i] ^= 1 << bit
				}
			}
			require.True(t, public.Verify([]byte("sample"), signature))
			require.False(t, public.Verify([]byte("Sample"), signature))
			for n := range signature {
				require.False(t, public.Verify([]byte("sample"), signature[:n]), "%d octets", n)
			}
			require.False(t, public.Verify([]byte("sample"), append(bytes.Clone(signature), 0)))
		}
		require.False(t, public.Verify([]byte("sample"), make([]byte, len(published))), "zeros")
		require.False(t, public.Verify([]byte("sample"), bytes.Repeat([]byte{0xFF}, len(published))), "larger than the order")
	}
}

// TestSignaturesKeepTheirLength signs until numbers with zeros in front have
// been among them, most likely: each has one with a chance of 1 in 128.
func TestSignaturesKeepTheirLength(t *testing.T) {
	private := privateKey(t, 1)
	for i := range 300 {
		signature, err := private.Sign(fmt.Append(nil, i))
		require.NoError(t, err)
		require.Len(t, signature, 64)
		require.True(t, private.Public().Verify(fmt.Append(nil, i), signature))
	}
}

// encodings are all forms of a private and of its public key, by names.
func encodings(t testing.TB, suite uint8) (private, public map[string][]byte) {
	t.Helper()
	curve := elliptic.P256()
	if suite == 2 {
		curve = elliptic.P384()
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, octets(t, signatures[suite].private))
	require.NoError(t, err)
	must := func(b []byte, err error) []byte {
		require.NoError(t, err)
		return b
	}
	text := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	pkcs8, sec1 := must(x509.MarshalPKCS8PrivateKey(key)), must(x509.MarshalECPrivateKey(key))
	parameters := text("EC PARAMETERS", []byte{6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7})
	spki := must(x509.MarshalPKIXPublicKey(&key.PublicKey))
	point := octets(t, signatures[suite].public)
	private = map[string][]byte{
		"number": octets(t, signatures[suite].private), "PKCS #8": pkcs8, "SEC 1": sec1,
		"PEM PKCS #8": text("PRIVATE KEY", pkcs8), "PEM SEC 1": append(parameters, text("EC PRIVATE KEY", sec1)...),
	}
	certificate := issueFor(t, key, title, nil, nil).x.Raw
	public = map[string][]byte{
		"point": point, "point with 04": append([]byte{4}, point...), "DER": spki, "PEM": append([]byte("a comment\r\n"), text("PUBLIC KEY", spki)...),
		"certificate": certificate, "PEM certificate": text("CERTIFICATE", certificate),
	}
	return private, public
}

func TestFormsOfKeys(t *testing.T) {
	for suite := uint8(1); suite <= 2; suite++ {
		want := privateKey(t, suite).Public()
		size := len(signatures[suite].private) / 2
		private, public := encodings(t, suite)
		for name, b := range private {
			k, err := security.ParsePrivateKey(suite, b)
			require.NoError(t, err, name)
			require.True(t, want.Equal(k.Public()), name)
			for n := range b {
				if n == size || n == len(b)-1 && isText(b) {
					continue // any number of this length is a key; the end of the last line need not be there
				}
				_, err := security.ParsePrivateKey(suite, b[:n])
				require.Error(t, err, "%s, %d octets", name, n)
			}
			_, err = security.ParsePrivateKey(3-suite, b)
			require.Error(t, err, "%s of another suite", name)
		}
		for name, b := range public {
			k, err := security.ParsePublicKey(suite, b)
			require.NoError(t, err, name)
			require.True(t, want.Equal(k), name)
			for n := range b {
				if n == len(b)-1 && (isText(b) || name == "point with 04") {
					continue
				}
				_, err := security.ParsePublicKey(suite, b[:n])
				require.Error(t, err, "%s, %d octets", name, n)
			}
			_, err = security.ParsePublicKey(3-suite, b)
			require.Error(t, err, "%s of another suite", name)
		}
	}
}

func isText(b []byte) bool { return bytes.Contains(b, []byte("-----END")) }

func TestKeysThatAreNone(t *testing.T) {
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	edwardsDER, err := x509.MarshalPKCS8PrivateKey(edwards)
	require.NoError(t, err)
	edwardsPublic, err := x509.MarshalPKIXPublicKey(edwards.Public())
	require.NoError(t, err)
	private, public := encodings(t, 1)
	order := octets(t, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551")
	off := octets(t, signatures[1].public)
	off[63] ^= 1
	for _, c := range []struct {
		suite   uint8
		octets  string
		message string
	}{
		{0, "", "security suite 0 has no public keys: suite 1 has P-256, suite 2 has P-384"},
		{3, "", "security suite 3 has no public keys: suite 1 has P-256, suite 2 has P-384"},
		{1, "", "private key: 0 octets are no private key"},
		{1, string(make([]byte, 32)), "private key: the number of 32 octets is not one of P-256: it is 0 or too large"},
		{1, string(order), "private key: the number of 32 octets is not one of P-256: it is 0 or too large"},
		{1, string(edwardsDER), "private key: it is not for elliptic curves of DLMS"},
		{2, string(private["PKCS #8"]), "private key: it is on P-256, suite 2 has P-384"},
		{1, text("ENCRYPTED PRIVATE KEY", edwardsDER), `private key: the PEM block is "ENCRYPTED PRIVATE KEY" (encrypted: decrypt it first), want "PRIVATE KEY" or "EC PRIVATE KEY"`},
		{1, "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n", `private key: the PEM block is "EC PRIVATE KEY" (encrypted: decrypt it first)`},
		{1, string(public["PEM"]), `private key: the PEM block is "PUBLIC KEY", want "PRIVATE KEY" or "EC PRIVATE KEY"`},
		{1, "-----BEGIN PRIVATE KEY-----\nAAAA\n", `private key: there is no whole PEM block, want "PRIVATE KEY" or "EC PRIVATE KEY"`},
		{1, strings.Repeat(text("X", nil), 20), `private key: the PEM block is "X", "X", "X", "X", "X", "X", "X", "X", want`},
	} {
		_, err := security.ParsePrivateKey(c.suite, []byte(c.octets))
		require.ErrorContains(t, err, c.message)
	}
	for _, c := range []struct {
		suite   uint8
		octets  string
		message string
	}{
		{0, "", "security suite 0 has no public keys"},
		{1, "", "public key: 0 octets are no public key"},
		{1, string(off), fmt.Sprintf("public key: the point %X is not on P-256", off)},
		{1, string(make([]byte, 64)), "is not on P-256"},
		{1, "\x02" + string(off), "public key: 65 octets are no public key"},
		{1, string(edwardsPublic), "public key: it is not for elliptic curves of DLMS: suite 1 has P-256"},
		{2, string(public["DER"]), "public key: it is on P-256, suite 2 has P-384"},
		{1, string(private["PEM PKCS #8"]), `public key: the PEM block is "PRIVATE KEY", want "PUBLIC KEY" or "CERTIFICATE"`},
	} {
		_, err := security.ParsePublicKey(c.suite, []byte(c.octets))
		require.ErrorContains(t, err, c.message)
	}
}

func TestPrivateKeysAreNotShown(t *testing.T) {
	k := privateKey(t, 1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, x := range []any{k, *k, struct{ K *security.PrivateKey }{k}, []*security.PrivateKey{k}} {
			text := strings.ToUpper(fmt.Sprintf(verb, x))
			require.NotContains(t, text, signatures[1].private[:16], verb)
			require.NotContains(t, text, strings.Trim(fmt.Sprint(octets(t, signatures[1].private[:8])), "[]"), verb)
		}
	}
	require.Equal(t, "*** ***", fmt.Sprintf("%v %#v", k, *k))
	require.Equal(t, strings.ReplaceAll(signatures[1].public, " ", ""), k.Public().String())
	_, err := security.ParsePrivateKey(1, octets(t, signatures[1].private)[:31])
	require.NotContains(t, strings.ToUpper(err.Error()), signatures[1].private[:8])
}

func TestMechanismECDSA(t *testing.T) {
	client, server := octets(t, "4D4D4D0000000001"), octets(t, title)
	ctos, stoc := []byte("K56iVagYK56iVagYK56iVagYK56iVagY"), []byte("P6wRJ21FP6wRJ21FP6wRJ21FP6wRJ21F")
	for suite := uint8(1); suite <= 2; suite++ {
		ours := privateKey(t, suite)
		theirs, err := security.GeneratePrivateKey(suite)
		require.NoError(t, err)
		answering := security.Challenge{Mechanism: security.MechanismECDSA, Received: stoc, Sent: ctos, Own: client, Other: server, Private: ours}
		answer, err := answering.Answer()
		require.NoError(t, err)
		message := bytes.Join([][]byte{client, server, stoc, ctos}, nil)
		require.True(t, ours.Public().Verify(message, answer), "what is signed")

		asking := answering
		asking.Private, asking.Public = nil, ours.Public()
		require.True(t, asking.Verify(answer))
		for name, change := range map[string]func(c *security.Challenge){
			"key":        func(c *security.Challenge) { c.Public = theirs.Public() },
			"no key":     func(c *security.Challenge) { c.Public = nil },
			"titles":     func(c *security.Challenge) { c.Own, c.Other = server, client },
			"no title":   func(c *security.Challenge) { c.Other = nil },
			"challenges": func(c *security.Challenge) { c.Received, c.Sent = ctos, stoc },
			"mechanism":  func(c *security.Challenge) { c.Mechanism = security.MechanismSHA256 },
		} {
			c := asking
			change(&c)
			require.False(t, c.Verify(answer), name)
		}
		for i := range answer {
			answer[i] ^= 0x40
			require.False(t, asking.Verify(answer), "octet %d", i)
			answer[i] ^= 0x40
		}
		_, err = asking.Answer()
		require.EqualError(t, err, "mechanism 7 answers with a signature: there is no private key to sign with")
		answering.Own = client[:7]
		_, err = answering.Answer()
		require.EqualError(t, err, "mechanism 7 signs the system titles of both sides: one has 7 octets, want 8")
	}
}

func FuzzParsePrivateKey(f *testing.F) {
	for suite := uint8(1); suite <= 2; suite++ {
		private, _ := encodings(f, suite)
		for _, b := range private {
			f.Add(suite, b)
		}
	}
	f.Fuzz(func(t *testing.T, suite uint8, b []byte) {
		k, err := security.ParsePrivateKey(suite, b)
		if err != nil {
			require.Nil(t, k)
			return
		}
		signature, err := k.Sign(b)
		require.NoError(t, err)
		require.True(t, k.Public().Verify(b, signature))
	})
}

func FuzzParsePublicKey(f *testing.F) {
	for suite := uint8(1); suite <= 2; suite++ {
		_, public := encodings(f, suite)
		for _, b := range public {
			f.Add(suite, b)
		}
	}
	f.Fuzz(func(t *testing.T, suite uint8, b []byte) {
		k, err := security.ParsePublicKey(suite, b)
		if err != nil {
			require.Nil(t, k)
			return
		}
		curve := ecdh.P256()
		if suite == 2 {
			curve = ecdh.P384()
		}
		_, err = curve.NewPublicKey(append([]byte{4}, k.Octets()...))
		require.NoError(t, err, "the point is on the curve")
		require.False(t, k.Verify(b, append(k.Octets(), 0)))
	})
}
