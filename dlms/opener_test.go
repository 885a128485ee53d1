package dlms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// TestOpenerOfManyMeters: keys that are agreed on are those of two titles,
// whatever else is the same.
func TestOpenerOfManyMeters(t *testing.T) {
	p := newPair(t, 2)
	o, err := dlms.NewOpener(dlms.Security{Keys: p.keys, Title: pairTitle, Public: p.client})
	require.NoError(t, err)
	z, err := p.meter.Agreement.Agree(p.meter.ClientAgreement)
	require.NoError(t, err)
	push := []byte{0x0F, 0, 0, 0, 1, 0, 0x06, 0, 0, 0x30, 0x39}
	for _, recipient := range [][]byte{nil, pairTitle} {
		for _, title := range []string{"MMM\x00\x00\x00\x00\x01", "MMM\x00\x00\x00\x00\x02", "MMM\x00\x00\x00\x00\x01"} {
			c := xdlms.Ciphered{Tag: xdlms.TagGeneralCiphering, Title: []byte(title), Key: xdlms.KeyInfo{Choice: xdlms.KeyAgreed, Parameters: []byte{2}}}
			c.General = xdlms.GeneralHeader{Transaction: []byte{1}, Recipient: recipient}
			u, v, err := security.PartiesStaticUnified(c.Title, c.General.Transaction, pairTitle)
			require.NoError(t, err)
			keys := p.keys
			keys.EncryptionKey, err = security.DeriveKey(2, z, u, v)
			require.NoError(t, err)
			x, err := security.NewContext(keys)
			require.NoError(t, err)
			c.Protected = x.SealWith(nil, c.Title, security.Authenticated|security.Encrypted, 1, c.General.AppendTo(nil, c.Title), push)
			sent, rest, err := xdlms.CutCiphered(c.Append(nil))
			require.NoError(t, err)
			require.Empty(t, rest)
			plain, err := o.Open(nil, sent.Title, sent, dlms.Plausible)
			require.NoError(t, err)
			require.Equal(t, push, plain)
		}
	}
}
