package dlms_test

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

func worked(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// TestWorkedEnvelopes are the Green Book's ciphered requests, as whole APDUs.
func TestWorkedEnvelopes(t *testing.T) {
	c, err := security.NewContext(securedKeys())
	require.NoError(t, err)
	title, plain := worked(t, "4D4D4D0000BC614E"), worked(t, "C0010000080000010000FF0200")
	both := security.Authenticated | security.Encrypted
	for _, x := range []struct {
		tag     xdlms.APDUTag
		control security.Control
		want    string
	}{
		{xdlms.TagGloGetRequest, security.Authenticated, "C81E 10 01234567 C0010000080000010000FF0200 06725D910F9221D263877516"},
		{xdlms.TagGloGetRequest, security.Encrypted, "C812 20 01234567 411312FF935A47566827C467BC"},
		{xdlms.TagGloGetRequest, both, "C81E 30 01234567 411312FF935A47566827C467BC 7D825C3BE4A77C3FCC056B6B"},
		{xdlms.TagGeneralGloCiphering, both, "DB 08 4D4D4D0000BC614E 1E 30 01234567 411312FF935A47566827C467BC 7D825C3BE4A77C3FCC056B6B"},
	} {
		apdu := xdlms.Ciphered{Tag: x.tag, Title: title, Protected: c.Seal(nil, title, x.control, 0x01234567, plain)}
		require.Equal(t, worked(t, x.want), apdu.Append(nil))
	}
}

// TestWorkedDedicatedKey: the Green Book's ciphered association with a dedicated
// key is what goes out, octet by octet, and the one that it answers is taken.
func TestWorkedDedicatedKey(t *testing.T) {
	const (
		aarq = "6066A109060760857405080103A60A04084D4D4D0000BC614E8A0207808B0760857405080201AC0A80083132333435363738BE340432" +
			"2130300123456780" + "1302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"
		aare = "6148A109060760857405080103A203020100A305A103020100A40A04084D4D4D0000BC614EBE230421" +
			"281F3001234567891214A0845E475738383A91BC197117581D85ADB648D979E2FB"
	)
	ours, theirs := net.Pipe()
	sent := make(chan []byte, 1)
	go func() {
		head := make([]byte, 8)
		_, _ = io.ReadFull(theirs, head)
		body := make([]byte, int(head[6])<<8|int(head[7]))
		_, _ = io.ReadFull(theirs, body)
		sent <- body
		answer, _ := wrapper.Append(nil, 1, 1, worked(t, aare))
		_, _ = theirs.Write(answer)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := dlms.NewConn(ours, dlms.ConnConfig{Framing: dlms.Wrapper, ClientAddress: 1, LogicalAddress: 1, ReplyTimeout: 5 * time.Second})
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	// The book has one title for both sides, which we refuse: the meter's answer is reached all the same.
	_, err = c.Associate(ctx, dlms.AssociationConfig{
		Mechanism: acse.Low, Password: []byte("12345678"), Conformance: 0x007E1F, MaxPDU: 0x04B0,
		Security: &dlms.Security{
			Title: worked(t, "4D4D4D0000BC614E"), Keys: securedKeys(), Dedicated: worked(t, "00112233445566778899AABBCCDDEEFF"),
			Counter: func() (uint32, error) { return 0x01234567, nil },
		},
	})
	require.ErrorContains(t, err, "the meter gives our own system title")
	require.Equal(t, worked(t, aarq), <-sent)
}
