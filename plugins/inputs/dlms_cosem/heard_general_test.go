package dlms_cosem

import (
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// generalPush puts a push into general-ciphering, by a meter that has the private
// keys of k.meter and k.meterAgree.
func (k suiteKeys) generalPush(t testing.TB, choice xdlms.KeyChoice, parameters byte, signer *ecdsa.PrivateKey, counter uint32, apdu []byte) []byte {
	t.Helper()
	digits := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	private := func(k0 *ecdsa.PrivateKey) *security.PrivateKey {
		p, err := security.ParsePrivateKey(k.suite, digits(scalarOf(t, k0)))
		require.NoError(t, err)
		return p
	}
	title, recipient := digits(guardTitle), digits(suiteTitle)
	c := xdlms.Ciphered{Tag: xdlms.TagGeneralCiphering, Title: title}
	c.General = xdlms.GeneralHeader{Transaction: []byte{0, 0, 0, byte(counter)}, Recipient: recipient}
	c.Key = xdlms.KeyInfo{Choice: choice}
	keys := k.keys
	agree := func(own *security.PrivateKey, u, v []byte, err error) {
		require.NoError(t, err)
		z, err := own.Agree(private(k.ownAgree).Public())
		require.NoError(t, err)
		keys.EncryptionKey, err = security.DeriveKey(k.suite, z, u, v)
		require.NoError(t, err)
	}
	switch {
	case choice == xdlms.KeyWrapped:
		var err error
		c.Key.Data, err = security.WrapKey(k.master, k.dedicated)
		require.NoError(t, err)
		keys.EncryptionKey = k.dedicated
	case choice == xdlms.KeyAgreed && parameters == 1:
		ephemeral, err := security.GeneratePrivateKey(k.suite)
		require.NoError(t, err)
		signature, err := private(signer).Sign(ephemeral.Public().Octets())
		require.NoError(t, err)
		c.Key.Parameters, c.Key.Data = []byte{1}, append(ephemeral.Public().Octets(), signature...)
		u, v, err := security.PartiesOnePass(title, recipient)
		agree(ephemeral, u, v, err)
	case choice == xdlms.KeyAgreed:
		c.Key.Parameters = []byte{parameters}
		u, v, err := security.PartiesStaticUnified(title, c.General.Transaction, recipient)
		agree(private(k.meterAgree), u, v, err)
	default:
	}
	x, err := security.NewContext(keys)
	require.NoError(t, err)
	c.Protected = x.SealWith(nil, title, security.Authenticated|security.Encrypted, counter, c.General.AppendTo(nil, title), apdu)
	return c.Append(nil)
}

// TestGeneralPushes: pushes in general-ciphering, under every key that there is.
func TestGeneralPushes(t *testing.T) {
	for suite := uint8(1); suite < 3; suite++ {
		k, other := newSuiteKeys(t, suite), newSuiteKeys(t, suite)
		keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\nsecurity_suite = %d\n",
			hex.EncodeToString(k.keys.EncryptionKey), hex.EncodeToString(k.keys.AuthenticationKey), suite)
		all := keyed + fmt.Sprintf("master_key = %q\nagreement_key = %q\nserver_agreement_key = %q\nserver_signing_key = %q\n",
			hex.EncodeToString(k.master), scalarOf(t, k.ownAgree), pointOf(t, k.meterAgree), pointOf(t, k.meter))
		for name, c := range map[string]struct {
			choice     xdlms.KeyChoice
			parameters byte
			signer     *ecdsa.PrivateKey
			conf       string
			message    string // empty: it is read
		}{
			"global key":                 {xdlms.KeyIdentified, 0, nil, keyed, ""},
			"wrapped key":                {xdlms.KeyWrapped, 0, nil, all, ""},
			"one pass":                   {xdlms.KeyAgreed, 1, k.meter, all, ""},
			"static keys":                {xdlms.KeyAgreed, 2, nil, all, ""},
			"wrapped, no master key":     {xdlms.KeyWrapped, 0, nil, keyed, "set master_key"},
			"one pass, no keys":          {xdlms.KeyAgreed, 1, k.meter, keyed, "agreement_key"},
			"one pass, another's":        {xdlms.KeyAgreed, 1, other.meter, all, "the signature of its key is not the meter's"},
			"agreed in a form not known": {xdlms.KeyAgreed, 3, nil, all, "under a key that is not known"},
		} {
			t.Run(fmt.Sprintf("suite %d %s", suite, name), func(t *testing.T) {
				hear(t, onUDP+c.conf, func(h *hearing) {
					for n := uint32(1); n < 4; n++ {
						h.udp.send("10.1.0.7:1000", inWrapper(h.t, k.generalPush(h.t, c.choice, c.parameters, c.signer, n, pushOf("METER1", n))))
					}
					synctest.Wait()
					if c.message == "" {
						require.Equal(h.t, []float64{1, 2, 3}, h.acc.energies())
						require.Empty(h.t, h.acc.errors())
						return
					}
					require.Empty(h.t, h.acc.energies())
					require.NotEmpty(h.t, h.acc.errors())
					require.Contains(h.t, h.acc.errors()[0], c.message)
				})
			})
		}
	}
}

// TestSignedPushes: a signature around a push is taken off. It proves nothing
// here: what is inside has to be ciphered all the same.
func TestSignedPushes(t *testing.T) {
	k := newSuiteKeys(t, 1)
	keyed := fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\nsecurity_suite = 1\n",
		hex.EncodeToString(k.keys.EncryptionKey), hex.EncodeToString(k.keys.AuthenticationKey))
	title, err := hex.DecodeString(guardTitle)
	require.NoError(t, err)
	signed := func(apdu []byte) []byte {
		s := xdlms.Signed{Title: title, Content: apdu, Signature: make([]byte, 64)}
		s.General.Transaction = []byte{1}
		return s.Append(nil)
	}
	hear(t, onUDP+keyed, func(h *hearing) {
		h.udp.send("10.1.0.7:1000", inWrapper(h.t, signed(k.generalPush(h.t, xdlms.KeyIdentified, 0, nil, 1, pushOf("METER1", 1)))))
		h.udp.send("10.1.0.7:1000", inWrapper(h.t, signed(pushOf("METER1", 2))))
		synctest.Wait()
		require.Equal(h.t, []float64{1}, h.acc.energies())
		require.Len(h.t, h.acc.errors(), 1)
	})
}
