package dlms_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// securedObjects is a register and a text that does not fit a PDU.
type securedObjects struct{}

func (securedObjects) Get(_ uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	switch {
	case at.Instance == obis.Code{1, 0, 1, 8, 0, 255} && at.ID == 2:
		return axdr.AppendDoubleLongUnsigned(b, 12345), xdlms.Success
	case at.Instance == obis.Code{0, 0, 96, 1, 0, 255} && at.ID == 2:
		return axdr.AppendOctetString(b, make([]byte, 1000)), xdlms.Success
	default:
		return b, xdlms.ObjectUndefined
	}
}

var (
	energyAt = cosem.Attribute{Class: cosem.Register, Instance: obis.Code{1, 0, 1, 8, 0, 255}, ID: 2}
	longAt   = cosem.Attribute{Class: cosem.Data, Instance: obis.Code{0, 0, 96, 1, 0, 255}, ID: 2}
)

func securedKeys() security.Keys {
	return security.Keys{
		EncryptionKey:     []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		AuthenticationKey: []byte{0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF},
	}
}

// securedMeter has client 1 with a mechanism.
func securedMeter(mechanism acse.Mechanism, framing string, policy security.Control, faults *dlmstest.Faults) *dlmstest.Meter {
	return dlmstest.NewMeter(dlmstest.Config{
		Framing: framing, MaxPDU: 256, Title: [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E}, Faults: faults,
		Clients: map[uint16]dlmstest.Client{
			1:  {Mechanism: mechanism, Secret: []byte("secret"), Password: []byte("secret"), Keys: securedKeys(), Policy: policy},
			16: {},
		},
	}, securedObjects{})
}

func securedConn(t *testing.T, ctx context.Context, m *dlmstest.Meter, framing dlms.Framing) *dlms.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() { _ = m.ServeConn(ctx, theirs) }()
	c, err := dlms.NewConn(ours, dlms.ConnConfig{Framing: framing, ClientAddress: 1, LogicalAddress: 1, ReplyTimeout: 5 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func counting() func() (uint32, error) {
	n := uint32(0)
	return func() (uint32, error) { n++; return n, nil }
}

// TestSecuredAssociations: every mechanism and protection, read singly, in lists
// and in blocks.
func TestSecuredAssociations(t *testing.T) {
	ours := []byte("TGD\x01\x02\x03\x04\x05")
	for _, framing := range []string{dlmstest.FramingWrapper, dlmstest.FramingHDLC} {
		for _, mechanism := range []acse.Mechanism{acse.None, acse.Low, acse.HLS, acse.HLSMD5, acse.HLSSHA1, acse.HLSGMAC, acse.HLSSHA256} {
			for _, control := range []security.Control{0, security.Authenticated, security.Encrypted, security.Authenticated | security.Encrypted} {
				for _, form := range []struct{ general, dedicated bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
					general := form.general
					if general && control == 0 || form.dedicated && control&security.Encrypted == 0 {
						continue
					}
					t.Run(fmt.Sprintf("%s %s %s %+v", framing, mechanism, control, form), func(t *testing.T) {
						m := securedMeter(mechanism, framing, control, nil)
						cfg := dlms.AssociationConfig{Mechanism: mechanism, Title: ours}
						if mechanism != acse.None && mechanism != acse.HLSGMAC {
							cfg.Password = []byte("secret")
						}
						if control != 0 || mechanism == acse.HLSGMAC {
							cfg.Security = &dlms.Security{Title: ours, Keys: securedKeys(), Counter: counting(), Control: control, Plain: control == 0}
							if general {
								cfg.Security.Ciphering = dlms.GeneralCiphering
							}
						}
						if form.dedicated {
							cfg.Security.Dedicated = []byte("a dedicated key!")
						}
						readSecured(t, m, framing, cfg)
						require.Equal(t, form.dedicated, m.Counters().Dedicated > 0)
					})
				}
			}
		}
	}
}

// TestWrongSecrets are refused, and told from other troubles.
func TestWrongSecrets(t *testing.T) {
	ours := []byte("TGD\x01\x02\x03\x04\x05")
	for _, mechanism := range []acse.Mechanism{acse.HLSMD5, acse.HLSSHA1, acse.HLSSHA256, acse.HLSGMAC} {
		t.Run(mechanism.String(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			c := securedConn(t, ctx, securedMeter(mechanism, dlmstest.FramingWrapper, 0, nil), dlms.Wrapper)
			cfg := dlms.AssociationConfig{Mechanism: mechanism, Title: ours, Password: []byte("wrong")}
			if mechanism == acse.HLSGMAC {
				keys := securedKeys()
				keys.AuthenticationKey[3] ^= 1
				cfg.Password, cfg.Security = nil, &dlms.Security{Title: ours, Keys: keys, Counter: counting(), Plain: true}
			}
			_, err := c.Associate(ctx, cfg)
			var reject *dlms.RejectError
			require.ErrorAs(t, err, &reject)
			require.True(t, reject.Unproven, err.Error())
		})
	}
}

// TestReflection: who gives us back what we have sent has proved nothing.
func TestReflection(t *testing.T) {
	ours := []byte("TGD\x01\x02\x03\x04\x05")
	for _, mechanism := range []acse.Mechanism{acse.HLSMD5, acse.HLSSHA1, acse.HLSSHA256, acse.HLSGMAC} {
		for what, want := range map[string]string{"challenge": "its challenge is ours", "title": "our own system title", "nothing": "null-data"} {
			t.Run(mechanism.String()+" "+what, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				faults := &dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) { return mirror(t, mechanism, what, apdu) }}
				c := securedConn(t, ctx, securedMeter(mechanism, dlmstest.FramingWrapper, 0, faults), dlms.Wrapper)
				cfg := dlms.AssociationConfig{Mechanism: mechanism, Title: ours, Password: []byte("secret")}
				if mechanism == acse.HLSGMAC {
					cfg.Password, cfg.Security = nil, &dlms.Security{Title: ours, Keys: securedKeys(), Counter: counting(), Plain: true}
				}
				_, err := c.Associate(ctx, cfg)
				var reject *dlms.RejectError
				require.ErrorAs(t, err, &reject)
				require.ErrorContains(t, err, want)
				require.Equal(t, what != "title", reject.Unproven)
			})
		}
	}
}

// mirror answers as somebody who has no secret: it gives back our challenge, our
// system title, or nothing.
func mirror(t *testing.T, mechanism acse.Mechanism, what string, apdu []byte) ([]byte, bool) {
	if q, err := acse.ParseAARQ(apdu); err == nil {
		initiate := xdlms.InitiateResponse{Version: 6, Conformance: dlms.DefaultConformance | xdlms.ConformanceAction, MaxPDU: 1000, VAA: xdlms.VAANameLN}
		a := acse.AARE{
			Context: acse.LN, Diagnostic: acse.Diagnostic{Source: acse.ServiceUser, Code: acse.DiagnosticAuthenticationRequired},
			UserInformation: initiate.Append(nil), HasUserInformation: true, Mechanism: mechanism,
			RespondingTitle: []byte("MMM\x01\x02\x03\x04\x05"), AuthenticationValue: []byte("another challenge"),
		}
		switch what {
		case "challenge":
			a.AuthenticationValue = append([]byte(nil), q.AuthenticationValue...)
		case "title":
			a.RespondingTitle = append([]byte(nil), q.CallingTitle...)
		}
		b, err := a.Append(nil)
		require.NoError(t, err)
		return b, true
	}
	q, err := xdlms.ParseActionRequest(apdu)
	if err != nil {
		return nil, false
	}
	r := xdlms.ActionResponse{InvokeID: q.InvokeID, HasReturn: true, Return: axdr.AppendNull(nil)}
	b, err := r.Append(nil)
	require.NoError(t, err)
	return b, true
}

// TestTitleInUA: a meter may tell its system title when the link is set up, and
// not in the AARE.
func TestTitleInUA(t *testing.T) {
	for _, bare := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		m := dlmstest.NewMeter(dlmstest.Config{
			Framing: dlmstest.FramingHDLC, TitleInUA: true, BareUA: bare, Title: [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E},
			Clients: map[uint16]dlmstest.Client{1: {Mechanism: acse.HLSGMAC, Keys: securedKeys(), Policy: security.Authenticated}},
		}, securedObjects{})
		c := securedConn(t, ctx, m, dlms.HDLC)
		as, err := c.Associate(ctx, dlms.AssociationConfig{Mechanism: acse.HLSGMAC, Security: &dlms.Security{
			Title: []byte("TGD\x01\x02\x03\x04\x05"), Keys: securedKeys(), Counter: counting(),
		}})
		require.NoError(t, err)
		require.Equal(t, "MMM\x00\x00\xBC\x61\x4E", string(as.Parameters().Title))
		_, err = as.Get(ctx, energyAt, nil)
		require.NoError(t, err)
		cancel()
	}
}
