//go:build e2e

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// TestMain: the tests hardly need the processor, but wait, for what is pushed in
// a minute, for the end of a back-off, for the rate of a backlog. So more of
// them run side by side than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "4")
	}
	os.Exit(m.Run())
}

// TestHistory: what meters remember comes to InfluxDB whole, each row once.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := startSuite(t)
	b := s.startBacklog(t) // first: it takes longest
	t.Run("with", func(t *testing.T) {
		t.Run("a year of quarters", func(t *testing.T) {
			t.Parallel()
			year(t, s)
		})
	})
	t.Run("a backlog of 100,000 rows", b.arrives)
}

// profiles is a plugin file that reads profiles of a meter.
func profiles(address, zone, interval string, list ...string) string {
	conf := connection(address, "wrapper", false) + fmt.Sprintf("  meter_timezone = %q\n\n  [[inputs.dlms_cosem.request]]\n    name = \"history\"\n    method = \"polling\"\n    interval = %q\n", zone, interval)
	for _, keys := range list {
		conf += "    [[inputs.dlms_cosem.request.profile]]\n" + keys
	}
	return conf
}

// The columns that are compared: an energy that each row has of its own, and the
// code of an event.
var (
	energies = column{obis.Code{1, 0, 1, 8, 0, 255}, "1.0.1.8.0.255"}
	codes    = column{history.EventCodeObject, "event"}
)

// column is a column of a profile, and the field that it becomes.
type column struct {
	code  obis.Code
	field string
}

// stored is a profile of a meter, and where its rows are in InfluxDB.
type stored struct {
	meter    *history.Meter
	code     obis.Code
	column   column
	database string
	name     string // tag
}

func (p *stored) selects(what string) string {
	return fmt.Sprintf("SELECT %s FROM dlms_cosem_profile WHERE profile = '%s'", what, p.name)
}

// count is how many rows are stored.
func (p *stored) count(db influx) int {
	rows, err := db.query(p.database, p.selects(fmt.Sprintf("COUNT(%q)", p.column.field)))
	if err != nil || len(rows) != 1 {
		return 0
	}
	n, _ := rows[0]["count"].(float64)
	return int(n)
}

// row is the time of a row in nanoseconds, and its value.
type row struct {
	at    int64
	value float64
}

// captured are the rows of the meter: of those of one time, the k-th comes k
// nanoseconds later.
func (p *stored) captured() (list []row) {
	seen := map[int64]int64{}
	for _, r := range p.meter.Captured(p.code) {
		at := r.Time.UnixNano()
		v, _ := r.Value(p.column.code)
		list = append(list, row{at + seen[at], v})
		seen[at]++
	}
	return list
}

// wait waits until as many rows are stored as the meter has captured.
func (p *stored) wait(t *testing.T, s *suite, most time.Duration) {
	t.Helper()
	want, end := len(p.captured()), time.Now().Add(most)
	for p.count(s.db) < want && time.Now().Before(end) {
		s.pause(t, 100*time.Millisecond)
	}
}

// check compares all rows with those of the meter, and returns how many there
// are.
func (p *stored) check(t *testing.T, db influx) int {
	t.Helper()
	want, got := p.captured(), db.rows(t, p.database, p.selects(fmt.Sprintf("%q", p.column.field)))
	var wantSum, gotSum float64
	for _, r := range want {
		wantSum += r.value
	}
	for _, r := range got {
		gotSum += r.value
	}
	t.Logf("%s: %d rows, sum %.0f", p.name, len(got), gotSum)
	missing, strange := without(want, got), without(got, want)
	require.Empty(t, told(missing), "%d rows of %q did not come", len(missing), p.name)
	require.Empty(t, told(strange), "%d rows of %q are not the meter's", len(strange), p.name)
	require.Len(t, got, len(want))
	require.InDelta(t, wantSum, gotSum, 0)
	return len(got)
}

// without are the rows of a that b does not have.
func without(a, b []row) (list []row) {
	have := map[row]bool{}
	for _, r := range b {
		have[r] = true
	}
	for _, r := range a {
		if !have[r] {
			list = append(list, r)
		}
	}
	return list
}

// told are the first of some rows, for people.
func told(rows []row) string {
	var b strings.Builder
	for _, r := range rows[:min(len(rows), 20)] {
		fmt.Fprintf(&b, "%s %g\n", time.Unix(0, r.at).UTC().Format(time.RFC3339Nano), r.value)
	}
	return b.String()
}

// gaps is how many rows the plugin says are missing.
func (p *stored) gaps(db influx) int {
	rows, err := db.query(p.database, fmt.Sprintf("SELECT SUM(gaps) FROM dlms_cosem_status WHERE profile = '%s'", p.name))
	if err != nil || len(rows) != 1 {
		return 0
	}
	n, _ := rows[0]["sum"].(float64)
	return int(n)
}

// missing is how many rows lack between those that the meter has captured.
func (p *stored) missing(period time.Duration) (n int) {
	rows := p.meter.Captured(p.code)
	for i := 1; i < len(rows); i++ {
		n += max(int(rows[i].Time.Sub(rows[i-1].Time)/period)-1, 0)
	}
	return n
}

// rows asks for a field. A float64, which numbers are in a point, does not have
// the nanoseconds of a time.
func (db influx) rows(t *testing.T, database, q string) (list []row) {
	t.Helper()
	values := url.Values{"db": {database}, "q": {q}, "epoch": {"ns"}}
	client := http.Client{Timeout: time.Minute}
	response, err := client.Get(db.url + "/query?" + values.Encode())
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Results []struct {
			Error  string
			Series []struct{ Values [][2]json.Number }
		}
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	for _, r := range answer.Results {
		require.Empty(t, r.Error, q)
		for _, s := range r.Series {
			for _, v := range s.Values {
				at, err := v[0].Int64()
				require.NoError(t, err)
				value, err := v[1].Float64()
				require.NoError(t, err)
				list = append(list, row{at, value})
			}
		}
	}
	return list
}

// backlogRows is how many rows a meter has before it is read for the first time.
const backlogRows = 100_000

// backlog is a meter that is being read for the first time.
type backlog struct {
	s *suite
	stored
}

// startBacklog has all rows of a meter read at the usual rate, by a Telegraf
// with the usual buffer.
func (s *suite) startBacklog(t *testing.T) *backlog {
	m := startRemembering(s.ctx, t, history.Config{Period: time.Minute, Past: backlogRows * time.Minute, Capacity: backlogRows})
	m.Outage(true) // it captures no more
	s.startTelegraf(t, setup{
		database: "backlog", signal: "none", usual: true,
		plugin: profiles(m.address, "UTC", "10s", "      name = \"load\"\n      obis = \"1.0.99.1.0.255\"\n      lookback = \"100d\"\n"),
	})
	return &backlog{s, stored{m.Meter, history.LoadProfile, energies, "backlog", "load"}}
}

// arrives: no row is lost on the way.
func (b *backlog) arrives(t *testing.T) {
	b.wait(t, b.s, 4*time.Minute)
	require.Equal(t, backlogRows, b.check(t, b.s.db))
	require.Zero(t, b.gaps(b.s.db))
}
