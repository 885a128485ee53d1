package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

const (
	plotSpans  = 4096 // most spans of time that are kept of a column, whatever the rows
	plotWidth  = 80   // columns of a chart that goes to no terminal
	plotLines  = 8    // of text
	leastChart = 20   // columns, however narrow the terminal
)

// plotView draws a chart of each column that has numbers, at the end. Of the
// rows it keeps the least and most of each span of time; spans become longer as
// there are more of them, so that memory does not depend on the rows.
type plotView struct {
	w       io.Writer
	width   int
	colour  bool
	zone    *time.Location
	columns []dlms_cosem.ProfileColumn
	curves  []curve
	shift   uint // a span is 1<<shift seconds
	again   bool // there were charts before
}

// newPlotView draws for a terminal of that width; 0: it goes to none.
func newPlotView(w io.Writer, width int, zone *time.Location) *plotView {
	v := &plotView{w: w, width: width, zone: zone, colour: width > 0 && os.Getenv("NO_COLOR") == ""}
	if width == 0 {
		v.width = plotWidth
	}
	return v
}

// curve is a column: its values, and their increases per hour as long as they
// only increase.
type curve struct {
	values, rates map[int64]extent // by number of the span
	points        int
	last          float64
	at            time.Time
	counts        bool // the unit is one of registers that count up
	rose, fell    bool
}

// extent is what a span of time holds.
type extent struct{ first, last, low, high float64 }

func (e extent) and(later extent) extent {
	return extent{e.first, later.last, min(e.low, later.low), max(e.high, later.high)}
}

func (v *plotView) head(columns []dlms_cosem.ProfileColumn) error {
	columns = slices.Clone(valueColumns(columns))
	if slices.Equal(columns, v.columns) {
		return nil
	}
	if err := v.end(); err != nil {
		return err
	}
	v.columns, v.shift, v.curves = columns, 0, make([]curve, len(columns))
	for i, c := range columns {
		v.curves[i] = curve{values: map[int64]extent{}, rates: map[int64]extent{}, counts: slices.Contains([]string{"Wh", "varh", "VAh", "Ah", "m3", "l"}, c.Unit)}
	}
	return nil
}

func (v *plotView) row(r dlms_cosem.ProfileRow) error {
	if r.Time.IsZero() {
		return nil
	}
	for i := range v.curves {
		value, ok := cellAt(r, i).Value.(float64)
		if !ok || math.IsNaN(value) || math.IsInf(value, 0) {
			continue
		}
		c := &v.curves[i]
		c.add(r.Time, value, v.shift)
		for len(c.values) > plotSpans || len(c.rates) > plotSpans {
			v.shift++
			for k := range v.curves {
				v.curves[k].values, v.curves[k].rates = halved(v.curves[k].values), halved(v.curves[k].rates)
			}
		}
	}
	return nil
}

func (c *curve) add(at time.Time, value float64, shift uint) {
	span := at.Unix() >> shift
	put(c.values, span, value)
	if hours := at.Sub(c.at).Hours(); c.points > 0 && hours != 0 && c.counts && !c.fell {
		rate := (value - c.last) / hours
		switch {
		case rate < 0:
			c.fell, c.rates = true, nil
		default:
			c.rose = c.rose || rate > 0
			put(c.rates, span, rate)
		}
	}
	c.points, c.last, c.at = c.points+1, value, at
}

func put(to map[int64]extent, span int64, value float64) {
	e := extent{value, value, value, value}
	if before, ok := to[span]; ok {
		e = before.and(e)
	}
	to[span] = e
}

// halved joins each two spans.
func halved(spans map[int64]extent) map[int64]extent {
	out := make(map[int64]extent, len(spans))
	for _, k := range sortedSpans(spans) {
		e := spans[k]
		if before, ok := out[k>>1]; ok {
			e = before.and(e)
		}
		out[k>>1] = e
	}
	return out
}

func sortedSpans(spans map[int64]extent) []int64 {
	keys := make([]int64, 0, len(spans))
	for k := range spans {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// end draws.
func (v *plotView) end() error {
	var text strings.Builder
	var without []string
	from, to := v.reach()
	for i, c := range v.curves {
		if c.points == 0 {
			without = append(without, v.columns[i].Name)
			continue
		}
		if v.again {
			text.WriteString("\n")
		}
		v.again = true
		v.chart(&text, v.columns[i], &c, from, to)
	}
	if v.again && len(without) > 0 {
		fmt.Fprintf(&text, "\nwithout numbers: %s\n", strings.Join(without, ", "))
	} else if len(without) > 0 {
		fmt.Fprintf(&text, "there is nothing to draw, without numbers: %s\n", strings.Join(without, ", "))
	}
	v.columns, v.curves = nil, nil
	if text.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(v.w, text.String())
	return err
}

// reach is the first and the last span of all columns.
func (v *plotView) reach() (from, to int64) {
	from, to = math.MaxInt64, math.MinInt64
	for i := range v.curves {
		for k := range v.curves[i].values {
			from, to = min(from, k), max(to, k)
		}
	}
	return from, to
}

// chart draws one column.
func (v *plotView) chart(w io.Writer, column dlms_cosem.ProfileColumn, c *curve, from, to int64) {
	spans, what := c.values, ""
	if c.rose && !c.fell {
		spans, what = c.rates, ", increase per hour of what counts up"
		column.Unit += "/h"
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, e := range spans {
		low, high = min(low, e.low), max(high, e.high)
	}
	labels := axisLabels(low, high)
	wide := 0
	for _, l := range labels {
		wide = max(wide, utf8.RuneCountInString(l))
	}
	canvas := newCanvas(max(v.width-wide-3, leastChart), plotLines)
	canvas.curve(spans, from, to, low, high)
	on, off := "", ""
	if v.colour {
		on, off = "\x1b[36m", "\x1b[0m"
	}
	fmt.Fprintf(w, "%s%s, %s\n", titleOf(column), what, count(c.points, "value"))
	for y := range plotLines {
		label, edge := "", "│"
		if at := (plotLines - 1) / 2; y == 0 || y == at || y == plotLines-1 {
			edge = "┤"
			label = map[int]string{0: labels[2], at: labels[1], plotLines - 1: labels[0]}[y]
		}
		fmt.Fprintf(w, "%*s %s%s%s%s\n", wide, label, edge, on, strings.TrimRight(canvas.line(y), " "), off)
	}
	fmt.Fprintf(w, "%*s └%s\n", wide, "", strings.Repeat("─", canvas.width))
	first, last := v.timeAt(from), v.timeAt(to)
	blanks := wide + 2 + canvas.width - len(first) - len(last)
	if from == to || blanks < 2 {
		last, blanks = "", 0
	}
	fmt.Fprintf(w, "%s%s%s\n", first, strings.Repeat(" ", blanks), last)
}

func (v *plotView) timeAt(span int64) string {
	return time.Unix(span<<v.shift, 0).In(v.zone).Format("2006-01-02 15:04 -07:00")
}

// axisLabels are the least number, that in the middle, and the most.
func axisLabels(low, high float64) [3]string {
	if low == high {
		return [3]string{"", strconv.FormatFloat(low, 'f', -1, 64), ""}
	}
	digits := 0
	if step := high/100 - low/100; step < 1 {
		digits = min(int(math.Ceil(-math.Log10(step))), 12)
	}
	var out [3]string
	for i, f := range []float64{low, low/2 + high/2, high} {
		out[i] = strconv.FormatFloat(f, 'f', digits, 64)
		if len(out[i]) > 14 {
			out[i] = strconv.FormatFloat(f, 'g', 6, 64)
		}
	}
	return out
}

// canvas is made of braille characters, each two dots wide and four high.
type canvas struct {
	width, height int // characters
	dots          []byte
}

func newCanvas(width, height int) *canvas {
	return &canvas{width, height, make([]byte, width*height)}
}

// dot sets a dot, counted from the left and from the top.
func (c *canvas) dot(x, y int) {
	bit := [4][2]byte{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}[y%4][x%2]
	c.dots[y/4*c.width+x/2] |= bit
}

func (c *canvas) line(y int) string {
	var text strings.Builder
	for _, bits := range c.dots[y*c.width : (y+1)*c.width] {
		if bits == 0 {
			text.WriteByte(' ')
		} else {
			text.WriteRune(0x2800 + rune(bits))
		}
	}
	return text.String()
}

// stroke draws a straight line.
func (c *canvas) stroke(x0, y0, x1, y1 int) {
	steps := max(x1-x0, x0-x1, y1-y0, y0-y1, 1)
	for i := range steps + 1 {
		c.dot(x0+(x1-x0)*i/steps, y0+(y1-y0)*i/steps)
	}
}

// curve draws spans. Neighbours are joined by lines, but not over a gap: one of
// more than twice the usual distance.
func (c *canvas) curve(spans map[int64]extent, from, to int64, low, high float64) {
	keys := sortedSpans(spans)
	across := func(k int64) int {
		if from == to {
			return 0
		}
		return int(float64(k-from) / float64(to-from) * float64(2*c.width-1))
	}
	down := func(f float64) int {
		dots := 4*c.height - 1
		if low == high {
			return dots / 2
		}
		return dots - int(math.Round((f/2-low/2)/(high/2-low/2)*float64(dots)))
	}
	usual := usualDistance(keys)
	for i, k := range keys {
		e, x := spans[k], across(k)
		c.stroke(x, down(e.low), x, down(e.high))
		if i > 0 && k-keys[i-1] <= 2*usual {
			before := keys[i-1]
			c.stroke(across(before), down(spans[before].last), x, down(e.first))
		}
	}
}

// usualDistance is the median of those between neighbours.
func usualDistance(keys []int64) int64 {
	if len(keys) < 2 {
		return 0
	}
	distances := make([]int64, len(keys)-1)
	for i := range distances {
		distances[i] = keys[i+1] - keys[i]
	}
	slices.Sort(distances)
	return distances[len(distances)/2]
}
