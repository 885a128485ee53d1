package explain

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Titles of a meter and its client, and keys that are not the published ones.
const (
	meterTitle  = "XYZ\x00\x00\xBC\x61\x4E"
	clientTitle = "HES\x00\x00\x00\x12\x34"
	meterKeys   = "meter's key 0123the other 123456"
	masterKeys  = "master key 01234and the other 16"
	both        = security.Authenticated | security.Encrypted
)

// suiteKeys are keys of a suite.
func suiteKeys(suite uint8) (key, authentic, master []byte) {
	n := security.KeyLengthOf(suite)
	return []byte(meterKeys[:n]), []byte(meterKeys[len(meterKeys)-n:]), []byte(masterKeys[:n])
}

func suiteOptions(suite uint8) (o Options) {
	o.Key, o.AuthKey, _ = suiteKeys(suite)
	return o
}

func generalHeader() xdlms.GeneralHeader {
	at := axdr.DateTime{Year: 2026, Month: 11, Day: 24, Weekday: 2, Hour: 10, Minute: 15, Deviation: -60}
	return xdlms.GeneralHeader{Transaction: []byte{1, 2, 3, 4, 5, 6, 7, 8}, Recipient: []byte(clientTitle), Time: at.Append(nil), Other: []byte("METER00012345678")}
}

// sealedGeneral is a push in general-ciphering; key seals it.
func sealedGeneral(t testing.TB, suite uint8, key []byte, info xdlms.KeyInfo, control security.Control, plain []byte) []byte {
	t.Helper()
	_, authentic, _ := suiteKeys(suite)
	keys, err := security.NewContext(security.Keys{Suite: suite, EncryptionKey: key, AuthenticationKey: authentic})
	require.NoError(t, err)
	c := xdlms.Ciphered{Tag: xdlms.TagGeneralCiphering, Title: []byte(meterTitle), General: generalHeader(), Key: info}
	c.Protected = keys.SealWith(nil, c.Title, control, 0x01020304, c.General.AppendTo(nil, c.Title), plain)
	return c.Append(nil)
}

// identified are pushes under the global keys: authenticated, encrypted, and both.
func identified(t testing.TB, suite uint8) []byte {
	key, _, _ := suiteKeys(suite)
	var list [][]byte
	for _, control := range []security.Control{security.Authenticated, security.Encrypted, both} {
		list = append(list, sealedGeneral(t, suite, key, xdlms.KeyInfo{Choice: xdlms.KeyIdentified}, control, somePush(t)))
	}
	list = append(list,
		sealedGeneral(t, suite, key, xdlms.KeyInfo{Choice: xdlms.KeyIdentified, ID: 1}, both|security.Broadcast, somePush(t)),
		sealedGeneral(t, suite, key, xdlms.KeyInfo{}, both, somePush(t)))
	return lines(list...)
}

// wrapped are pushes under a key that comes with them.
func wrapped(t testing.TB, suite uint8) []byte {
	_, _, master := suiteKeys(suite)
	key := []byte(masterKeys[len(masterKeys)-len(master):])
	data, err := security.WrapKey(master, key)
	require.NoError(t, err)
	info := xdlms.KeyInfo{Choice: xdlms.KeyWrapped, Data: data}
	return lines(sealedGeneral(t, suite, key, info, both, somePush(t)), sealedGeneral(t, suite, key, info, security.Authenticated, somePush(t)))
}

// agreed are pushes under keys that were agreed on.
func agreed(t testing.TB) []byte {
	key, _, _ := suiteKeys(1)
	key2, _, _ := suiteKeys(2)
	return lines(
		sealedGeneral(t, 1, key, xdlms.KeyInfo{Choice: xdlms.KeyAgreed, Parameters: []byte{1}, Data: numbers(128)}, both, somePush(t)),
		sealedGeneral(t, 2, key2, xdlms.KeyInfo{Choice: xdlms.KeyAgreed, Parameters: []byte{1}, Data: numbers(192)}, both, somePush(t)),
		sealedGeneral(t, 2, key2, xdlms.KeyInfo{Choice: xdlms.KeyAgreed, Parameters: []byte{2}}, both, somePush(t)),
		sealedGeneral(t, 1, key, xdlms.KeyInfo{Choice: xdlms.KeyAgreed, Parameters: []byte{2}}, security.Authenticated, somePush(t)),
	)
}

// numbers stand for octets that mean nothing.
func numbers(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(31*i*i + 7*i + n)
	}
	return b
}

func signedBy(title string, content []byte, octets int) []byte {
	s := xdlms.Signed{Title: []byte(title), General: generalHeader(), Content: content, Signature: numbers(octets)}
	return s.Append(nil)
}

// signed are a ciphered push and a plain one with signatures, and a service
// specific APDU, whose title is that of the signature.
func signed(t testing.TB) []byte {
	key, authentic, _ := suiteKeys(1)
	keys, err := security.NewContext(security.Keys{Suite: 1, EncryptionKey: key, AuthenticationKey: authentic})
	require.NoError(t, err)
	general := xdlms.Ciphered{Tag: xdlms.TagGeneralGloCiphering, Title: []byte(meterTitle)}
	general.Protected = keys.Seal(nil, general.Title, both, 7, somePush(t))
	request := xdlms.Ciphered{Tag: xdlms.TagGloGetRequest}
	request.Protected = keys.Seal(nil, []byte(clientTitle), both, 8, unhexed(t, "C001C100030100010800FF0200"))
	return lines(signedBy(meterTitle, general.Append(nil), 64), signedBy(meterTitle, somePush(t), 96), signedBy(clientTitle, request.Append(nil), 64))
}

func generalGoldens(t testing.TB) (list []golden) {
	for _, suite := range []uint8{0, 1, 2} {
		list = append(list, golden{fmt.Sprintf("general-suite-%d", suite), identified(t, suite), suiteOptions(suite)})
	}
	for _, suite := range []uint8{0, 2} {
		o := Options{}
		_, o.AuthKey, o.MasterKey = suiteKeys(suite)
		list = append(list, golden{fmt.Sprintf("general-wrapped-suite-%d", suite), wrapped(t, suite), o})
	}
	wrong := suiteOptions(0)
	wrong.MasterKey = wrong.Key
	return append(list,
		golden{"general-wrapped-no-keys", wrapped(t, 0), Options{}},
		golden{"general-wrapped-wrong-key", wrapped(t, 0), wrong},
		golden{"general-wrong-suite", identified(t, 2), suiteOptions(0)},
		golden{"general-agreed", agreed(t), Options{}},
		golden{"signed", signed(t), suiteOptions(1)},
		golden{"signed-no-keys", signed(t), Options{}},
		golden{"signed-wrong", lines(signedBy(meterTitle, nil, 64), signedBy(meterTitle, somePush(t), 65), compressed(t),
			append(signedBy(meterTitle, []byte{0x62, 0}, 64), 0x55)), suiteOptions(0)})
}

// compressed is a push whose security control names compression.
func compressed(t testing.TB) []byte {
	key, _, _ := suiteKeys(0)
	return sealedGeneral(t, 0, key, xdlms.KeyInfo{}, both|security.Compressed, somePush(t))
}

func TestGeneralOpened(t *testing.T) {
	for suite := range uint8(3) {
		r := explained(t, identified(t, suite), suiteOptions(suite))
		text := tree(t, r)
		require.True(t, r.Complete(), text)
		require.Equal(t, 5, strings.Count(text, "12345.6 Wh"), text)
		require.Equal(t, 4, strings.Count(text, "opened, the tag is right"), text)
		require.Contains(t, text, fmt.Sprintf("authenticated and encrypted, suite %d, broadcast key", suite))

		o := suiteOptions(suite)
		o.Key, o.AuthKey = nil, nil
		r = explained(t, identified(t, suite), o)
		require.Equal(t, []string{
			"encryption key of system title XYZ 12345678 (58595A0000BC614E): -key HEX",
			"broadcast encryption key of system title XYZ 12345678 (58595A0000BC614E): -key HEX",
		}, r.Missing)
		require.Equal(t, 1, strings.Count(tree(t, r), "12345.6 Wh"), "what is not encrypted")
	}
}

// The header is authenticated: any of its octets that is changed is found.
func TestGeneralHeaderProven(t *testing.T) {
	key, _, _ := suiteKeys(0)
	apdu := sealedGeneral(t, 0, key, xdlms.KeyInfo{Choice: xdlms.KeyIdentified}, both, somePush(t))
	header := generalHeader()
	n := len(header.AppendTo(nil, []byte(meterTitle)))
	require.True(t, explainOctets(t, apdu, suiteOptions(0)).Complete())
	for i := 1; i <= n; i++ {
		bad := bytes.Clone(apdu)
		bad[i] ^= 1
		r := explainOctets(t, bad, suiteOptions(0))
		checkReport(t, r)
		require.False(t, r.Complete(), "octet %d:\n%s", i, tree(t, r))
	}
}

func TestGeneralPrefixes(t *testing.T) {
	step := 1
	if raceEnabled { // one goroutine reads them
		step = 5
	}
	for _, g := range generalGoldens(t) {
		for line := range bytes.Lines(g.data) {
			b := unhexed(t, string(line))
			for n := 1; n < len(b); n += step {
				r := explainOctets(t, b[:n], g.opt)
				checkReport(t, r)
				if g.name == "signed-wrong" && n == len(b)-1 {
					continue // without the octet that is too many
				}
				require.False(t, r.Complete(), "%s, %d of %d octets:\n%s", g.name, n, len(b), tree(t, r))
			}
			for i := 0; i < len(b); i += step {
				flipped := bytes.Clone(b)
				flipped[i] ^= 0xFF
				checkReport(t, explainOctets(t, flipped, g.opt))
			}
		}
	}
}

func TestMasterKeyChecked(t *testing.T) {
	_, err := Explain(&Input{}, Options{MasterKey: []byte("short")})
	require.EqualError(t, err, "master key of 5 octets, 16 (suites 0 and 1) or 32 (suite 2) are expected")
}

func TestRedactGeneral(t *testing.T) {
	redacted := func(data []byte, o Options) (*Redacted, string) {
		in, err := ParseInput(data)
		require.NoError(t, err)
		r, err := Redact(in, o)
		require.NoError(t, err)
		for _, secret := range []string{"00BC614E", "00001234", "METER00012345678"} {
			require.NotContains(t, string(r.Octets), secret)
			require.NotContains(t, strings.ToUpper(r.Text()), hexOf(secret))
			require.NotContains(t, strings.ToUpper(r.Text()), secret)
		}
		return r, strings.Join(r.Notes, "\n")
	}
	for suite := range uint8(3) {
		published := sealKeys[sealKeysOf(security.KeyLengthOf(suite))]
		test := Options{Key: unhexed(t, published.key), AuthKey: unhexed(t, published.authentic), MasterKey: unhexed(t, published.key)}
		r, notes := redacted(identified(t, suite), suiteOptions(suite))
		require.Contains(t, notes, "5 ciphered APDUs protected again with the published test keys: -key "+published.key+" -auth_key "+published.authentic)
		text := tree(t, explained(t, []byte(r.Text()), test))
		require.Equal(t, 4, strings.Count(text, "opened, the tag is right"), text)
		require.Equal(t, 5, strings.Count(text, "XYZ 1 (58595A0000000001)"), text)
		require.Equal(t, 5, strings.Count(text, "HES 2 (4845530000000002)"), text)
		require.Contains(t, text, fmt.Sprintf("suite %d", suite))

		o := suiteOptions(suite)
		_, _, o.MasterKey = suiteKeys(suite)
		o.Key = nil
		r, notes = redacted(wrapped(t, suite), o)
		require.Contains(t, notes, "-auth_key "+published.authentic+" -master_key "+published.key)
		test.Key = nil
		after := explained(t, []byte(r.Text()), test)
		require.True(t, after.Complete(), tree(t, after))
		require.Equal(t, 2, strings.Count(tree(t, after), "opened, the tag is right"))
	}
	r, notes := redacted(signed(t), suiteOptions(1))
	require.Contains(t, notes, "passwords, challenges and signatures 2")
	require.NotContains(t, string(r.Octets), string(numbers(64)))
	require.NotContains(t, string(r.Octets), string(numbers(96)))
	r, notes = redacted(agreed(t), Options{})
	require.Contains(t, notes, "3 ciphered APDUs could not be looked into")
	require.Contains(t, notes, "1 APDU with a tag that is wrong now")
	require.NotContains(t, string(r.Octets), string(numbers(128)[64:]), "the signature")
	require.Contains(t, string(r.Octets), string(numbers(128)[:64]), "the public key")
}
