package dlms_cosem

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

// TestWrongKeyOverDays: meters lock those who try. With a wrong key or secret, at
// whichever step the meter notices, there is one login after 15 minutes and
// twice as long each time up to a day, and none beside: ten in four days.
func TestWrongKeyOverDays(t *testing.T) {
	const wrong = "C0FFEE0123456789ABCDEF5EC2E7C0DE"
	const secret = "0p3n-s3sam3-0p3n"
	keyed := securedTop("wrapper") + "\nkeep_open = \"never\"\ninvocation_counter = 1001"
	high := func(word, password string) string {
		return strings.Replace(hdlcTop, "hdlc", "wrapper", 1) + "\nclient_address = 1\nauthentication = \"" + word + "\"\npassword = \"" + password + "\""
	}
	with := func(client dlmstest.Client) func(*dlmstest.Config) {
		return func(c *dlmstest.Config) { c.Clients[1] = client }
	}
	for name, c := range map[string]struct {
		top    string
		change func(*dlmstest.Config)
	}{
		"encryption key":     {strings.Replace(keyed, securedKey, wrong, 1), nil},
		"authentication key": {strings.Replace(keyed, securedAuth, wrong, 1), nil},
		"keys of the login only": {strings.Replace(keyed, securedAuth, wrong, 1) + "\nsecurity = \"none\"", func(c *dlmstest.Config) {
			x := c.Clients[1]
			x.Policy = 0
			c.Clients[1] = x
		}},
		"password":       {high("low", "12345679"), with(dlmstest.Client{Mechanism: acse.Low, Password: []byte("12345678")})},
		"secret, MD5":    {high("high-md5", "0p3n"), with(dlmstest.Client{Mechanism: acse.HLSMD5, Secret: []byte(secret)})},
		"secret, SHA256": {high("high-sha256", "0p3n"), with(dlmstest.Client{Mechanism: acse.HLSSHA256, Secret: []byte(secret)})},
		"meter that cannot prove itself": {keyed, func(c *dlmstest.Config) {
			c.Faults = &dlmstest.Faults{WrongReplies: -1}
		}},
		"deciphering error": {keyed, func(c *dlmstest.Config) {
			l := &logins{answer: func(int32) []byte { return []byte{0xD8, 1, 5} }}
			c.Faults = l.faults(dlmstest.Faults{})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				seen := 0
				g := guard(t, "wrapper", func(m *dlmstest.Config) {
					if c.change != nil {
						c.change(m)
					}
					if m.Faults == nil {
						m.Faults = &dlmstest.Faults{}
					}
					raw := m.Faults.Raw
					m.Faults.Raw = func(apdu []byte) ([]byte, bool) {
						if q, err := acse.ParseAARQ(apdu); err == nil && q.Mechanism != acse.None {
							seen++ // one connection at a time
						}
						if raw == nil {
							return nil, false
						}
						return raw(apdu)
					}
				})
				n.set("", &host{meter: g.Meter})
				start := time.Now()
				p := startProgram(t, n, dir, registersConf(c.top, "method = \"polling\"\ninterval = \"1m\"", 1))
				later(4 * 24 * time.Hour)
				p.Stop()
				tried := attempts(runsOf(p.acc, start))
				require.Len(t, tried, 10)
				require.Equal(t, len(tried), seen, "the meter has heard of no other")
				pause := 15 * time.Minute
				for i := 1; i < len(tried); i++ {
					gap := tried[i].at - tried[i-1].at
					require.GreaterOrEqual(t, gap, pause)
					require.LessOrEqual(t, gap, pause+2*time.Minute)
					pause = min(2*pause, 24*time.Hour)
				}
				require.Len(t, p.acc.results(), 4*24*60+1, "each poll is accounted for")
				require.Len(t, p.acc.errors(), 1, "the same trouble is told once")
				require.Contains(t, p.acc.errors()[0], "further attempts are slowed down because meters lock")
				require.Empty(t, p.acc.values())
			})
		})
	}
}
