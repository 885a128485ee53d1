package dlms_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// pair is what a meter and its client have of a suite.
type pair struct {
	keys   security.Keys
	client dlms.PublicKeys
	meter  dlmstest.PublicKeys
	master []byte
}

var (
	pairTitle  = []byte("TGD\x01\x02\x03\x04\x05")
	meterTitle = [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E}
)

func newPair(t testing.TB, suite uint8) pair {
	t.Helper()
	n := security.KeyLengthOf(suite)
	key := func(first byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = first + byte(i)
		}
		return b
	}
	p := pair{keys: security.Keys{Suite: suite, EncryptionKey: key(0x10), AuthenticationKey: key(0xA0)}, master: key(0x50)}
	if suite == 0 {
		return p
	}
	var made [4]*security.PrivateKey
	for i := range made {
		var err error
		made[i], err = security.GeneratePrivateKey(suite)
		require.NoError(t, err)
	}
	p.client = dlms.PublicKeys{Signing: made[0], MeterSigning: made[1].Public(), Agreement: made[2], MeterAgreement: made[3].Public()}
	p.meter = dlmstest.PublicKeys{Signing: made[1], ClientSigning: made[0].Public(), Agreement: made[3], ClientAgreement: made[2].Public(), MasterKey: p.master}
	return p
}

func (p pair) simulated(mechanism acse.Mechanism, framing string, policy security.Control) *dlmstest.Meter {
	return dlmstest.NewMeter(dlmstest.Config{
		Framing: framing, MaxPDU: 700, Title: meterTitle,
		Clients: map[uint16]dlmstest.Client{
			1: {Mechanism: mechanism, Secret: []byte("secret"), Password: []byte("secret"), Keys: p.keys, Policy: policy, Public: p.meter},
		},
	}, securedObjects{})
}

func (p pair) config(mechanism acse.Mechanism, control security.Control, form dlms.Ciphering, signed bool) dlms.AssociationConfig {
	cfg := dlms.AssociationConfig{Mechanism: mechanism, Security: &dlms.Security{
		Title: pairTitle, Keys: p.keys, Counter: counting(), Control: control, Plain: control == 0,
		Ciphering: form, MasterKey: p.master, Public: p.client, Signed: signed,
	}}
	if mechanism == acse.Low || mechanism == acse.HLSSHA256 {
		cfg.Password = []byte("secret")
	}
	return cfg
}

// TestSuites: all suites, and every form in which requests travel.
func TestSuites(t *testing.T) {
	forms := map[string]dlms.Ciphering{
		"service": dlms.ServiceCiphering, "general": dlms.GeneralCiphering, "identified": dlms.IdentifiedKey,
		"wrapped": dlms.WrappedKey, "one pass": dlms.OnePassKey, "static": dlms.StaticKey,
	}
	both := security.Authenticated | security.Encrypted
	controls := []security.Control{0, security.Authenticated, security.Encrypted, both}
	if raceEnabled { // the goroutines are the same, and the arithmetic of the keys is slow then
		controls = []security.Control{0, both}
	}
	for suite := range uint8(3) {
		p := newPair(t, suite)
		for _, framing := range []string{dlmstest.FramingWrapper, dlmstest.FramingHDLC} {
			for _, mechanism := range []acse.Mechanism{acse.HLSGMAC, acse.HLSECDSA, acse.HLSSHA256} {
				for _, control := range controls {
					for name, form := range forms {
						for _, signed := range []bool{false, true} {
							public := mechanism == acse.HLSECDSA || signed || form == dlms.OnePassKey || form == dlms.StaticKey
							if suite == 0 && (public || form == dlms.WrappedKey) || control == 0 && (form != dlms.ServiceCiphering || signed) {
								continue
							}
							t.Run(fmt.Sprintf("suite %d %s %s %s %s signed %v", suite, framing, mechanism, control, name, signed), func(t *testing.T) {
								t.Parallel()
								readSecured(t, p.simulated(mechanism, framing, control), framing, p.config(mechanism, control, form, signed))
							})
						}
					}
				}
			}
		}
	}
}

// readSecured reads singly, in blocks and in a list, and releases.
func readSecured(t *testing.T, m *dlmstest.Meter, framing string, cfg dlms.AssociationConfig) {
	t.Helper()
	kind := dlms.Wrapper
	if framing == dlmstest.FramingHDLC {
		kind = dlms.HDLC
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := securedConn(t, ctx, m, kind)
	as, err := c.Associate(ctx, cfg)
	require.NoError(t, err)
	d, err := as.Get(ctx, energyAt, nil)
	require.NoError(t, err)
	v, _ := d.Int64()
	require.Equal(t, int64(12345), v)
	got := 0
	require.NoError(t, as.GetList(ctx, []cosem.Attribute{energyAt, longAt, energyAt}, func(i int, _ axdr.Data, err error) {
		require.NoError(t, err, i)
		got++
	}))
	require.Equal(t, 3, got)
	require.NoError(t, as.Release(ctx))
	require.Zero(t, m.Counters().RepeatedCounters)
	require.Positive(t, m.Counters().Releases)
}

// TestStrangers: a meter with another key of its own is not believed.
func TestStrangers(t *testing.T) {
	both := security.Authenticated | security.Encrypted
	for suite := uint8(1); suite < 3; suite++ {
		p, q := newPair(t, suite), newPair(t, suite)
		for name, c := range map[string]struct {
			mechanism acse.Mechanism
			form      dlms.Ciphering
			signed    bool
			change    func(m *dlmstest.PublicKeys)
			want      string
		}{
			"signs its challenge by another key": {acse.HLSECDSA, dlms.ServiceCiphering, false,
				func(m *dlmstest.PublicKeys) { m.Signing = q.meter.Signing }, "has not proved that it has the secret"},
			"signs answers by another key": {acse.HLSGMAC, dlms.ServiceCiphering, true,
				func(m *dlmstest.PublicKeys) { m.Signing = q.meter.Signing }, "its signature is not the meter's"},
			"signs its ephemeral key by another": {acse.HLSGMAC, dlms.OnePassKey, false,
				func(m *dlmstest.PublicKeys) { m.Signing = q.meter.Signing }, "the signature of its key is not the meter's"},
			"agrees by another key": {acse.HLSGMAC, dlms.StaticKey, false,
				func(m *dlmstest.PublicKeys) { m.Agreement = q.meter.Agreement }, "deciphering-error"},
			"unwraps by another key": {acse.HLSGMAC, dlms.WrappedKey, false,
				func(m *dlmstest.PublicKeys) { m.MasterKey = make([]byte, len(p.master)) }, "deciphering-error"},
		} {
			t.Run(fmt.Sprintf("suite %d %s", suite, name), func(t *testing.T) {
				stranger := p
				c.change(&stranger.meter)
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				conn := securedConn(t, ctx, stranger.simulated(c.mechanism, dlmstest.FramingWrapper, both), dlms.Wrapper)
				_, err := conn.Associate(ctx, p.config(c.mechanism, both, c.form, c.signed))
				require.ErrorContains(t, err, c.want)
			})
		}
	}
}

// certificate makes the certificate of a key, by the authority of another.
func certificate(t testing.TB, name string, key *ecdsa.PublicKey, until time.Time, parent *x509.Certificate, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	x := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if parent == nil {
		x.IsCA, x.KeyUsage, parent = true, x509.KeyUsageCertSign, x
	}
	der, err := x509.CreateCertificate(rand.Reader, x, parent, key, by)
	require.NoError(t, err)
	made, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return made
}

// TestCertificates: the meter's key for signing may come in the AARE, if somebody
// whom we believe vouches for it.
func TestCertificates(t *testing.T) {
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		return k
	}
	ca, other, own := key(), key(), key()
	later := time.Now().Add(time.Hour)
	root := certificate(t, "root", &ca.PublicKey, later, nil, ca)
	stranger := certificate(t, "another root", &other.PublicKey, later, nil, other)
	scalar, err := own.Bytes()
	require.NoError(t, err)
	p := newPair(t, 1)
	p.meter.Signing, err = security.ParsePrivateKey(1, scalar)
	require.NoError(t, err)
	p.client.MeterSigning = nil
	authority, err := security.ParseCertificate(1, root.Raw)
	require.NoError(t, err)
	title := fmt.Sprintf("%X", meterTitle)
	for name, c := range map[string]struct {
		sent  *x509.Certificate
		roots []*security.Certificate
		want  string
	}{
		"trusted":         {certificate(t, title, &own.PublicKey, later, root, ca), []*security.Certificate{authority}, ""},
		"nobody trusted":  {certificate(t, title, &own.PublicKey, later, root, ca), nil, "the meter's key for signing is not known"},
		"another's":       {certificate(t, title, &own.PublicKey, later, stranger, other), []*security.Certificate{authority}, "the meter's certificate"},
		"expired":         {certificate(t, title, &own.PublicKey, time.Now().Add(-time.Hour), root, ca), []*security.Certificate{authority}, "expired"},
		"of another one":  {certificate(t, "4D4D4D0000000099", &own.PublicKey, later, root, ca), []*security.Certificate{authority}, "4D4D4D0000000099"},
		"without any":     {nil, []*security.Certificate{authority}, "the meter's key for signing is not known"},
		"of no title":     {certificate(t, "a meter", &own.PublicKey, later, root, ca), []*security.Certificate{authority}, "system title"},
		"of another key ": {certificate(t, title, &other.PublicKey, later, root, ca), []*security.Certificate{authority}, "has not proved"},
	} {
		t.Run(name, func(t *testing.T) {
			m := p
			m.client.Roots = c.roots
			if c.sent != nil {
				m.meter.Certificate = c.sent.Raw
			}
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			conn := securedConn(t, ctx, m.simulated(acse.HLSECDSA, dlmstest.FramingWrapper, 0), dlms.Wrapper)
			_, err := conn.Associate(ctx, m.config(acse.HLSECDSA, 0, dlms.ServiceCiphering, false))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
