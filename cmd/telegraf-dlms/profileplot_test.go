package main

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

func TestProfilePlot(t *testing.T) {
	t.Parallel()
	f := quarters(48)
	text := shown(t, f, newPlotView(nil, 0, rome(t)))
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	require.Len(t, lines, 2*(3+plotLines)+1+2, text)
	require.Equal(t, "energy_import [Wh/h], increase per hour of what counts up, 48 values", lines[0])
	require.Regexp(t, `(?m)^200 ┤ [⠀-⣿]{70,}$`, text, "a quarter has 50 Wh")
	require.Contains(t, text, "\nvoltage [V], 47 values\n")
	require.Regexp(t, `(?m)^277\.5 ┤ +[⠀-⣿]+$`, text)
	require.Regexp(t, `(?m)^230\.5 ┤[⠀-⣿]+$`, text)
	require.Contains(t, text, "2026-10-25 02:45 +02:00")
	require.Contains(t, text, "2026-10-25 13:30 +01:00\n")
	require.Equal(t, "without numbers: event", lines[len(lines)-1])
	for _, line := range lines {
		require.LessOrEqual(t, len([]rune(line)), plotWidth, line)
	}
	require.NotContains(t, text, "\x1b")

	f.rows[30].Cells[0] = cell(5.) // the register was reset
	text = shown(t, f, newPlotView(nil, 100, time.UTC))
	require.Contains(t, text, "energy_import [Wh], 48 values\n", "it is drawn as it is")
	require.Contains(t, text, "┤\x1b[36m")
	require.Contains(t, text, "1002250 ┤")
	require.Contains(t, text, "      5 ┤")

	f = quarters(2)
	f.rows[0].Cells[0], f.rows[1].Cells[2] = cell(math.NaN()), cell(math.Inf(1))
	text = shown(t, f, newPlotView(nil, 0, time.UTC))
	require.Contains(t, text, "energy_import [Wh], 1 value\n")
	require.Contains(t, text, "\n999950 ┤")
	f.columns, f.rows[0].Cells[0] = f.columns[:3], cell("x")
	f.rows[1].Cells[0] = cell(true)
	require.Equal(t, "there is nothing to draw, without numbers: energy_import, event\n", shown(t, f, newPlotView(nil, 0, time.UTC)))
}

// TestProfilePlotBounds: memory does not depend on the rows, extremes stay, and
// no times or numbers upset it.
func TestProfilePlotBounds(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	v := newPlotView(&b, 0, time.UTC)
	require.NoError(t, v.head(quarters(1).columns))
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 300_000 {
		value := math.Sin(float64(i) / 20_000)
		if i == 123_456 {
			value = 7
		}
		require.NoError(t, v.row(dlms_cosem.ProfileRow{Time: at.Add(time.Duration(i) * time.Minute), Cells: []dlms_cosem.ProfileCell{cell(float64(i)), {}, cell(value)}}))
		if len(v.curves[0].values) > plotSpans || len(v.curves[2].values) > plotSpans {
			t.Fatal("too many spans")
		}
	}
	require.NoError(t, v.end())
	require.Contains(t, b.String(), "\n 7.00 ┤")
	require.Contains(t, b.String(), "\n-1.00 ┤")
	require.Contains(t, b.String(), "increase per hour")

	b.Reset()
	require.NoError(t, v.head(quarters(1).columns))
	for i, year := range []int{9999, 1, 2026, -5000, 2026} {
		for _, n := range []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0, float64(i)} {
			require.NoError(t, v.row(dlms_cosem.ProfileRow{Time: time.Date(year, 1, 1, 0, 0, i, 0, time.UTC), Cells: []dlms_cosem.ProfileCell{cell(n), {}, cell(-n)}}))
		}
	}
	require.NoError(t, v.end())
	require.Contains(t, b.String(), "1.79769e+308 ┤")
}

// A gap in the rows is one in the chart.
func TestProfilePlotGap(t *testing.T) {
	t.Parallel()
	f := quarters(96)
	f.columns = f.columns[3:]
	var rows []dlms_cosem.ProfileRow
	for i, r := range f.rows {
		r.Cells = []dlms_cosem.ProfileCell{cell(1.)}
		if i < 40 || i >= 56 {
			rows = append(rows, r)
		}
	}
	f.rows = rows
	text := shown(t, f, newPlotView(nil, 0, time.UTC))
	require.Regexp(t, `┤[⠀-⣿]{30,} {10,15}[⠀-⣿]{30,}\n`, text)
}
