package dlms

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// TestRecordedGMAC has real dialogues of a client and a meter with known keys:
// what both have computed is what we compute.
func TestRecordedGMAC(t *testing.T) {
	const recorded = "../../shared/dialogs"
	if _, err := os.Stat(recorded); err != nil {
		t.Skip("the recorded dialogues are not here: they may not be copied, and CI has them")
	}
	for _, name := range []string{"dlg-hls-gmac-wrapper-auth-abc", "dlg-hls-gmac-wrapper-none-0"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(recorded, name+".json"))
			require.NoError(t, err)
			var d struct {
				Hex       []string
				GUEK, GAK string
				Client    string `json:"client_system_title"`
				Server    string `json:"server_system_title"`
			}
			require.NoError(t, json.Unmarshal(text, &d))
			bytesOf := func(s string) []byte {
				b, err := hex.DecodeString(s)
				require.NoError(t, err)
				return b
			}
			var apdus [][]byte
			for _, h := range d.Hex {
				_, apdu, rest, err := wrapper.Cut(bytesOf(h))
				require.NoError(t, err)
				require.Empty(t, rest)
				apdus = append(apdus, apdu)
			}
			aarq, err := acse.ParseAARQ(apdus[0])
			require.NoError(t, err)
			aare, err := acse.ParseAARE(apdus[1])
			require.NoError(t, err)
			counters := []uint32{0}
			ciphered := aarq.Context == acse.LNCiphered
			if ciphered {
				counters = []uint32{0, 1, 1} // that client has used one of them twice, which we never do
			}
			next := 0
			x, err := newSecured(&Security{
				Title: bytesOf(d.Client), Keys: security.Keys{EncryptionKey: bytesOf(d.GUEK), AuthenticationKey: bytesOf(d.GAK)},
				Control: security.Authenticated, MeterTitle: bytesOf(d.Server),
				Counter: func() (uint32, error) { next++; return counters[next-1], nil },
			})
			require.NoError(t, err)
			if ciphered { // octet by octet what the client has sent, and what the meter has
				inside := []byte{0x01, 0, 0, 0, 0x06, 0x5f, 0x1f, 0x04, 0x00, 0x62, 0x1e, 0x5d, 0xff, 0xff}
				sealed, err := x.seal(inside)
				require.NoError(t, err)
				require.Equal(t, aarq.UserInformation, sealed)
				plain, err := x.open(aare.UserInformation)
				require.NoError(t, err)
				require.Equal(t, byte(xdlms.TagInitiateResponse), plain[0])
			}
			answer := x.context.AppendGMAC(nil, x.Title, counters[len(counters)-1], aare.AuthenticationValue)
			request := apdus[2]
			if ciphered {
				c, _, err := xdlms.CutCiphered(request)
				require.NoError(t, err)
				request, err = x.context.Open(nil, x.Title, c.Protected, plausibleAnswer)
				require.NoError(t, err)
			}
			q, err := xdlms.ParseActionRequest(request)
			require.NoError(t, err)
			sent, _ := q.Parameter.Octets()
			require.Equal(t, sent, answer, "f(StoC)")
			response := apdus[3]
			if ciphered {
				response, err = x.open(response)
				require.NoError(t, err)
			}
			p, err := xdlms.ParseActionResponse(response)
			require.NoError(t, err)
			reply, _ := p.Return.Octets()
			require.True(t, x.context.VerifyGMAC(x.meter, aarq.AuthenticationValue, reply), "f(CtoS)")
			reply[7] ^= 1
			require.False(t, x.context.VerifyGMAC(x.meter, aarq.AuthenticationValue, reply))
		})
	}
}

// TestRecordedRefusal has a real dialogue of a client that ciphers, and a meter
// that wants no ciphering: it says so by the context in its refusal.
func TestRecordedRefusal(t *testing.T) {
	text, err := os.ReadFile("../../shared/dialogs/dlg-hls-wrapper-rejected.json")
	if err != nil {
		t.Skip("the recorded dialogues are not here: they may not be copied, and CI has them")
	}
	var d struct{ Hex []string }
	require.NoError(t, json.Unmarshal(text, &d))
	apdu := func(i int) []byte {
		b, err := hex.DecodeString(d.Hex[i])
		require.NoError(t, err)
		_, apdu, _, err := wrapper.Cut(b)
		require.NoError(t, err)
		return apdu
	}
	aarq, err := acse.ParseAARQ(apdu(0))
	require.NoError(t, err)
	again, err := aarq.Append(nil)
	require.NoError(t, err)
	require.Equal(t, apdu(0), again)
	x, err := newSecured(&Security{
		Title: aarq.CallingTitle, Keys: security.Keys{EncryptionKey: make([]byte, 16), AuthenticationKey: make([]byte, 16)},
		Counter: func() (uint32, error) { return 0, nil },
	})
	require.NoError(t, err)
	a := &Association{c: &Conn{}, keys: x, secured: x}
	_, err = a.judge(apdu(1), aarq.Context, DefaultConformance, acse.HLSGMAC)
	var reject *RejectError
	require.ErrorAs(t, err, &reject)
	require.Equal(t, acse.RejectedPermanent, reject.Result)
	require.Equal(t, acse.Diagnostic{Source: acse.ServiceUser, Code: acse.DiagnosticNoReason}, reject.Diagnostic)
	require.Equal(t, acse.LN, reject.Context)
}
