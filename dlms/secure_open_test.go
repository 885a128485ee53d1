package dlms

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// TestOpenRefuses: what an answer must not be, though it is under the right keys.
func TestOpenRefuses(t *testing.T) {
	const both = security.Authenticated | security.Encrypted
	meter, stranger := []byte("MMM\x00\x00\xBC\x61\x4E"), []byte("MMM\x00\x00\xBC\x61\x4F")
	keys := security.Keys{Suite: 1, EncryptionKey: bytes.Repeat([]byte{3}, 16), AuthenticationKey: bytes.Repeat([]byte{4}, 16)}
	context, err := security.NewContext(keys)
	require.NoError(t, err)
	ours, err := security.GeneratePrivateKey(1)
	require.NoError(t, err)
	theirs, err := security.GeneratePrivateKey(1)
	require.NoError(t, err)
	response := mustHex("C401C1 00 0600003039")
	type answer struct {
		tag           xdlms.APDUTag
		title, signer []byte // signer nil: not signed
		control       security.Control
		counter       uint32
		plain         []byte
	}
	good := answer{tag: xdlms.TagGeneralGloCiphering, title: meter, control: both, counter: 2, plain: response}
	octets := func(a answer) []byte {
		c := xdlms.Ciphered{Tag: a.tag, Title: a.title, Protected: context.Seal(nil, meter, a.control, a.counter, a.plain)}
		if a.tag < xdlms.TagGeneralGloCiphering {
			c.Title = nil
		}
		apdu := c.Append(nil)
		if a.signer == nil {
			return apdu
		}
		s := xdlms.Signed{Title: a.signer, Content: apdu}
		s.Signature, err = theirs.Sign(append(s.General.AppendTo(nil, a.signer), apdu...))
		require.NoError(t, err)
		return s.Append(nil)
	}
	for name, c := range map[string]struct {
		change func(a *answer)
		signed bool // we demand it
		want   string
	}{
		"good":                      {func(*answer) {}, false, ""},
		"signed without need":       {func(a *answer) { a.signer = meter }, false, ""},
		"signed":                    {func(a *answer) { a.signer = meter }, true, ""},
		"not signed":                {func(*answer) {}, true, "it is not signed, which is demanded"},
		"signed by another":         {func(a *answer) { a.signer = stranger }, true, "it is signed by MMM 12345679"},
		"authenticated only":        {func(a *answer) { a.control = security.Authenticated }, false, "at least authenticated and encrypted"},
		"encrypted only":            {func(a *answer) { a.control = security.Encrypted }, false, "at least authenticated and encrypted"},
		"under the broadcast key":   {func(a *answer) { a.control |= security.Broadcast }, false, "broadcast key"},
		"compressed":                {func(a *answer) { a.control |= security.Compressed }, false, "compressed"},
		"counter of before":         {func(a *answer) { a.counter = 1 }, false, "was sent before"},
		"from another title":        {func(a *answer) { a.title = stranger }, false, "it comes from system title MMM 12345679"},
		"another APDU than it says": {func(a *answer) { a.tag = xdlms.TagGloActionResponse }, false, "has a get-response inside"},
		"dedicated key":             {func(a *answer) { a.tag = xdlms.TagGeneralDedCiphering }, false, "no dedicated key was agreed on"},
		"nothing inside":            {func(a *answer) { a.plain = nil }, false, "nothing inside"},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := newSecured(&Security{
				Title: []byte("TGD\x01\x02\x03\x04\x05"), Keys: keys, MeterTitle: meter, Signed: c.signed,
				Public: PublicKeys{Signing: ours, MeterSigning: theirs.Public()}, Counter: func() (uint32, error) { return 1, nil },
			})
			require.NoError(t, err)
			x.global = series{last: 1, any: true}
			a := good
			c.change(&a)
			plain, err := x.open(octets(a))
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, response, plain)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Empty(t, plain)
		})
	}
	_, err = newSecured(&Security{
		Title: meter, Keys: keys, Control: security.Authenticated, Dedicated: keys.EncryptionKey, Counter: func() (uint32, error) { return 1, nil },
	})
	require.ErrorContains(t, err, "a dedicated key has to be sent encrypted")
}
