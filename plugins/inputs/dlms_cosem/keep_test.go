package dlms_cosem

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// changing is a meter whose contents a test changes while it runs. Its register
// k holds truth(k), in Wh, at its scaler.
type changing struct {
	mu       sync.Mutex
	name     string // logical device name; empty: refused
	firmware string // likewise
	scaler   int8
	class    cosem.ClassID // of its registers
	refuse   map[cosem.Attribute]xdlms.DataAccessResult
	idle     int // inactivity time in seconds; 0: refused
	asked    map[cosem.Attribute]int
}

func newChanging(name string, scaler int8) *changing {
	return &changing{name: name, firmware: "v1", scaler: scaler, class: cosem.Register,
		refuse: map[cosem.Attribute]xdlms.DataAccessResult{}, asked: map[cosem.Attribute]int{}}
}

func truth(k int) float64 { return float64(100000 * (k + 7)) }

func (c *changing) change(f func(c *changing)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
}

func (c *changing) Get(_ uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[at]++
	if r := c.refuse[at]; r != xdlms.Success {
		return nil, r
	}
	text := func(s string) ([]byte, xdlms.DataAccessResult) {
		if s == "" {
			return nil, xdlms.ObjectUndefined
		}
		return axdr.AppendOctetString(b, []byte(s)), xdlms.Success
	}
	switch {
	case at.Class == cosem.AssociationLN && at.ID == 2:
		return append(b, c.objectList()...), xdlms.Success
	case at == nameAttribute():
		return text(c.name)
	case at.Instance == [6]byte{1, 0, 0, 2, 0, 255} && at.Class == cosem.Data:
		return text(c.firmware)
	case at.Class == cosem.IECHDLCSetup || at.Class == cosem.TCPUDPSetup:
		if c.idle == 0 {
			return nil, xdlms.ObjectUndefined
		}
		return axdr.AppendLongUnsigned(b, uint16(c.idle)), xdlms.Success
	case at.Class != c.class:
		return nil, xdlms.ObjectUndefined
	case at.ID == 2:
		raw := truth(int(at.Instance[4])) / math.Pow10(int(c.scaler))
		return axdr.AppendLong64(b, int64(raw)), xdlms.Success
	case at.ID == 3:
		b = axdr.AppendStructure(b, 2)
		b = axdr.AppendInteger(b, c.scaler)
		return axdr.AppendEnum(b, 30), xdlms.Success // Wh
	default:
		return nil, xdlms.ObjectUndefined
	}
}

// objectList is what is there to be read. A meter of another name has it in
// another order.
func (c *changing) objectList() []byte {
	list := []cosem.Object{{Class: cosem.Data, Instance: obis.Code{1, 0, 0, 2, 0, 255}}}
	if c.name != "" {
		list = append(list, cosem.Object{Class: cosem.Data, Instance: nameAttribute().Instance})
	}
	for k := range 20 {
		list = append(list, cosem.Object{Class: c.class, Instance: obis.Code{1, 0, 1, 8, byte(k), 255}})
	}
	if c.name != "METER1" {
		slices.Reverse(list)
	}
	return cosem.AppendObjectList(nil, list)
}

// times is how often an attribute of register k was asked for.
func (c *changing) times(class cosem.ClassID, k int, id int8) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[cosem.Attribute{Class: class, Instance: [6]byte{1, 0, 1, 8, byte(k), 255}, ID: id}]
}

// registersConf reads registers 0 to n-1.
func registersConf(top, request string, n int) string {
	var b strings.Builder
	b.WriteString("[[inputs.dlms_cosem]]\n" + top + "\n[[inputs.dlms_cosem.request]]\nname = \"a\"\n" + request + "\n")
	for k := range n {
		fmt.Fprintf(&b, "[[inputs.dlms_cosem.request.item]]\nname = \"v%d\"\nobis = \"1.0.1.8.%d.255\"\n", k, k)
	}
	return b.String()
}

// requireTrue has each value be the truth, and returns how many there are.
func requireTrue(t *testing.T, acc *sink) int {
	t.Helper()
	points := acc.values()
	for _, p := range points {
		var k int
		_, err := fmt.Sscanf(p.tags["name"], "v%d", &k)
		require.NoError(t, err)
		require.Equal(t, truth(k), p.fields["value"], "a wrong value: %s", p)
		require.Equal(t, "Wh", p.tags["unit"])
	}
	return len(points)
}

func statuses(acc *sink, field string) (list []int64) {
	for _, p := range acc.all() {
		if p.measurement == statusMeasurement {
			list = append(list, p.fields[field].(int64))
		}
	}
	return list
}

func newMeter(framing string, o dlmstest.Objects) *dlmstest.Meter {
	return dlmstest.NewMeter(dlmstest.Config{Framing: framing, Clients: map[uint16]dlmstest.Client{16: {Mechanism: acse.None}}}, o)
}

const hdlcTop = "endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\""

// TestSteadyState: what is known is not asked for again, and the association
// stays open: one round trip per run, with one scaler in rotation.
func TestSteadyState(t *testing.T) {
	for framing, opening := range map[string]int64{"hdlc": 2, "wrapper": 1} {
		c := registersConf(strings.Replace(hdlcTop, "hdlc", framing, 1), "method = \"polling\"\ninterval = \"10s\"", 20)
		bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
			o := newChanging("METER1", -1)
			m := newMeter(framing, o)
			n.set("", &host{meter: m})
			require.NoError(t, d.Start(acc))
			later(205 * time.Second)
			require.Equal(t, 21*20, requireTrue(t, acc))
			trips := statuses(acc, "round_trips")
			require.Equal(t, opening+1+2, trips[0], "opening, one list, and twice about the meter")
			for _, n := range trips[1:] {
				require.Equal(t, int64(1), n)
			}
			require.Equal(t, 1, n.dialed())
			require.Equal(t, 1, m.Counters().Associations)
			for k := range 20 {
				require.Equal(t, 2, o.times(cosem.Register, k, 3), "scaler %d: once at first, once in 20 runs", k)
			}
			require.Equal(t, 1, o.asked[nameAttribute()])
			d.Stop()
			synctest.Wait()
			require.Equal(t, 1, m.Counters().Releases)
			require.Empty(t, acc.errors())
			require.Empty(t, j.at("W! "))
		})
	}
}

// TestKeepOpen has the association kept for as long as it is worth it.
func TestKeepOpen(t *testing.T) {
	for _, c := range []struct {
		name, request      string
		idle               int
		associations, open int // within 5 minutes, and at their end
	}{
		{"next run near", "method = \"polling\"\ninterval = \"20s\"", 0, 1, 1},
		{"next run far", "method = \"polling\"\ninterval = \"60s\"", 0, 5, 0},
		{"never", "keep_open = \"never\"\nmethod = \"polling\"\ninterval = \"20s\"", 0, 15, 0},
		{"always", "keep_open = \"always\"\nmethod = \"polling\"\ninterval = \"60s\"", 0, 1, 1},
		{"impatient meter", "method = \"polling\"\ninterval = \"20s\"", 30, 15, 0},
		{"patient meter", "method = \"polling\"\ninterval = \"20s\"", 41, 1, 1},
		{"one run", "method = \"once\"", 0, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, registersConf(hdlcTop, c.request, 3), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
				o := newChanging("METER1", 0)
				o.idle = c.idle
				m := newMeter("hdlc", o)
				n.set("", &host{meter: m})
				require.NoError(t, d.Start(acc))
				later(299 * time.Second)
				require.Equal(t, c.associations, m.Counters().Associations)
				require.Equal(t, c.open, c.associations-m.Counters().Releases)
				require.NotZero(t, requireTrue(t, acc))
				require.Empty(t, acc.errors())
			})
		})
	}
}

// TestKeepOpenByTicks: ticks are expected to go on as they came.
func TestKeepOpenByTicks(t *testing.T) {
	for _, c := range []struct {
		gap          time.Duration
		associations int
	}{{10 * time.Second, 1}, {time.Minute, 10}} {
		bubble(t, registersConf(hdlcTop, "", 3), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			m := newMeter("hdlc", newChanging("METER1", 0))
			n.set("", &host{meter: m})
			require.NoError(t, d.Start(acc))
			for range 10 {
				require.NoError(t, d.Gather(acc))
				later(c.gap)
			}
			require.Equal(t, c.associations, m.Counters().Associations)
			later(31 * time.Second)
			require.Equal(t, c.associations, m.Counters().Releases, "no tick any more: released")
			require.Equal(t, 30, requireTrue(t, acc))
		})
	}
}

// TestKeepOpenOnSharedLink: with several devices an association ends with its
// run, or with keep_open = "always" when another device needs the link.
func TestKeepOpenOnSharedLink(t *testing.T) {
	for keep, open := range map[string]int{"auto": 0, "always": 1} {
		top := hdlcTop + "\nphysical_address = [17, 18]\nkeep_open = \"" + keep + "\""
		bubble(t, registersConf(top, "method = \"polling\"\ninterval = \"10s\"", 3), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			m := newMeter("hdlc", newChanging("METER1", 0))
			n.set("", &host{meter: m})
			require.NoError(t, d.Start(acc))
			later(95 * time.Second)
			require.Equal(t, 20, m.Counters().Associations)
			require.Equal(t, 20-open, m.Counters().Releases)
			require.Equal(t, 60, requireTrue(t, acc))
			if keep == "always" {
				require.Equal(t, 1, n.dialed())
			}
		})
	}
}

// TestSilentReopen: an association that died while it was kept is replaced
// within the run, without an error and without a missing value.
func TestSilentReopen(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, keep := range []string{"auto", "always", "never"} {
			top := strings.Replace(hdlcTop, "hdlc", framing, 1) + "\nkeep_open = \"" + keep + "\""
			t.Run(framing+"/"+keep, func(t *testing.T) {
				bubble(t, registersConf(top, "method = \"polling\"\ninterval = \"10s\"", 5), func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
					n.set("", &host{meter: newMeter(framing, newChanging("METER1", 0))})
					require.NoError(t, d.Start(acc))
					later(5 * time.Second)
					for range 10 {
						n.cut()
						later(10 * time.Second)
					}
					require.Equal(t, 11*5, requireTrue(t, acc))
					require.Empty(t, acc.errors())
					require.Empty(t, j.at("W! "))
					require.Equal(t, 11, n.dialed())
				})
			})
		}
	}
}

// TestAnotherPassword: an association is not used for a login that is not its own.
func TestAnotherPassword(t *testing.T) {
	t.Setenv("DLMS_KEEP_TEST", "00000001")
	c := registersConf(hdlcTop, "method = \"polling\"\ninterval = \"10s\"\nauthentication = \"low\"\npassword = \"env:DLMS_KEEP_TEST\"", 1)
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		m := dlmstest.NewMeter(dlmstest.Config{Framing: "hdlc", Clients: map[uint16]dlmstest.Client{
			32: {Mechanism: acse.Low, Password: []byte("00000001")}}}, newChanging("METER1", 0))
		n.set("", &host{meter: m})
		require.NoError(t, d.Start(acc))
		later(25 * time.Second)
		require.Equal(t, 1, m.Counters().Associations)
		t.Setenv("DLMS_KEEP_TEST", "00000002")
		later(10 * time.Second)
		require.Equal(t, []string{"success", "success", "success", "auth"}, acc.results())
		require.Equal(t, 1, m.Counters().Releases)
	})
}

// TestDeadMeterOfForty: one of forty meters on a line is dead. The others are
// late by no more than one attempt to reach it takes.
func TestDeadMeterOfForty(t *testing.T) {
	hours := 6
	if raceEnabled {
		hours = 2
	}
	var addresses, alive []string
	for n := range 40 {
		addresses = append(addresses, fmt.Sprint(17+n))
		if n != 20 {
			alive = append(alive, fmt.Sprint(17+n))
		}
	}
	top := hdlcTop + "\nphysical_address = \"" + strings.Join(addresses, ",") + "\""
	bubble(t, registersConf(top, "method = \"polling\"\ninterval = \"60s\"", 2), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, fmt.Sprintf("[server]\nframing = \"hdlc\"\nresponse_delay = \"50ms\"\nphysical_addresses = [%s]\n", strings.Join(alive, ", "))+energyMeter)})
		require.NoError(t, d.Start(acc))
		later(time.Duration(hours) * time.Hour)
		runs := map[string][]time.Time{}
		for _, p := range acc.all() {
			if p.measurement == statusMeasurement && p.tags["address"] != "37" {
				runs[p.tags["address"]] = append(runs[p.tags["address"]], p.at)
			}
		}
		require.Len(t, runs, 39)
		for address, at := range runs {
			require.Len(t, at, hours*60, "address %s", address)
			late := 0
			for i := 2; i < len(at); i++ { // the first time nobody knows that it is dead
				if gap := at[i].Sub(at[i-1]); gap > 60*time.Second {
					late++
					require.LessOrEqual(t, gap, 60*time.Second+5*time.Second+time.Second, "address %s, run %d", address, i)
				}
			}
			require.Less(t, late, hours*60/9, "once in ten minutes at most")
		}
		require.NotEmpty(t, acc.results("address", "37", "result", "backoff"))
	})
}

// TestRestartsBetweenPolls has a meter forget all and come back with other
// objects, without closing anything: the poll goes on.
func TestRestartsBetweenPolls(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, keep := range []string{"auto", "always", "never"} {
			t.Run(framing+"/"+keep, func(t *testing.T) {
				top := strings.Replace(hdlcTop, "hdlc", framing, 1) + "\nkeep_open = \"" + keep + "\""
				bubble(t, registersConf(top, "method = \"polling\"\ninterval = \"20s\"", 5), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
					o := newChanging("METER1", 0)
					m := dlmstest.NewMeter(dlmstest.Config{Framing: framing, Inactivity: 15 * time.Second}, o) // it forgets between two polls, and does not say so beforehand
					n.set("", &host{meter: m})
					require.NoError(t, d.Start(acc))
					later(105 * time.Second)
					o.change(func(c *changing) { c.class = cosem.ExtendedRegister }) // its object list changes
					later(100 * time.Second)
					require.Equal(t, 11*5, requireTrue(t, acc))
					require.Empty(t, acc.errors())
				})
			})
		}
	}
}
