package obis

import (
	"strconv"
	"strings"
)

// Describe says in a few English words what the value groups of the code mean
// (Blue Book Ed. 13, clause 7): "active energy import, rate 1". Codes whose
// groups lie in the ranges of makers or utilities are called that, and nothing
// is guessed about them. It is empty for codes without a meaning in the
// standard.
func (c Code) Describe() string {
	switch {
	case c.ofMaker():
		return "manufacturer specific"
	case c[1] >= 65 && c[1] <= 127:
		return "utility specific"
	case c[1] >= 200:
		return ""
	}
	var s string
	switch c[0] {
	case 0:
		s = c.abstract()
	case 1:
		s = c.electricity()
	case 4:
		s = c.simple("heat cost allocator", hcaQuantities[:])
	case 5:
		s = c.thermal("cooling")
	case 6:
		s = c.thermal("heat")
	case 7:
		s = c.gas()
	case 8:
		s = c.simple("cold water", waterQuantities[:])
	case 9:
		s = c.simple("hot water", waterQuantities[:])
	default:
	}
	return s
}

// ofMaker reports whether a group lies in a range of makers: then all of the
// code is theirs.
func (c Code) ofMaker() bool {
	maker := func(v byte) bool { return v >= 128 && v <= 254 }
	return c[1] >= 128 && c[1] <= 199 || c[2] >= 128 && c[2] <= 199 || c[2] == 240 || maker(c[3]) || maker(c[4]) || maker(c[5])
}

// entry is a word of a table, "" where there is none.
func entry(table []string, n byte) string {
	if int(n) < len(table) {
		return table[n]
	}
	return ""
}

// join puts the parts that there are behind each other.
func join(parts ...string) string {
	var list []string
	for _, p := range parts {
		if p != "" {
			list = append(list, p)
		}
	}
	return strings.Join(list, ", ")
}

func numbered(what string, n byte) string { return what + " " + strconv.Itoa(int(n)) }

// period is what group F says: which billing period.
func (c Code) period() string {
	switch f := c[5]; {
	case f == 255:
		return ""
	case f <= 99:
		return numbered("billing period", f)
	case f == 101:
		return "last billing period"
	case f >= 102 && f <= 125:
		return numbered("last billing periods", f-100)
	case f == 126:
		return "all billing periods"
	default:
		return ""
	}
}

// channel is what group B says, where it is no matter of course.
func (c Code) channel() string {
	if c[1] < 2 {
		return ""
	}
	return numbered("channel", c[1])
}

// rate is what group E says of energies and demands.
func (c Code) rate() string {
	switch e := c[4]; {
	case e == 0:
		return "total"
	case e <= 63:
		return numbered("rate", e)
	default:
		return ""
	}
}

// The quantities of electricity for the sum of the phases: C from 1 to 20. Power
// stands for energy, too.
var electricityQuantities = [21]string{
	1: "active % import", 2: "active % export", 3: "reactive % import", 4: "reactive % export",
	5: "reactive % quadrant I", 6: "reactive % quadrant II", 7: "reactive % quadrant III", 8: "reactive % quadrant IV",
	9: "apparent % import", 10: "apparent % export", 11: "current", 12: "voltage", 13: "power factor", 14: "frequency",
	15: "active % import and export, absolute", 16: "active % import less export",
	17: "active % quadrant I", 18: "active % quadrant II", 19: "active % quadrant III", 20: "active % quadrant IV",
}

// Those that have no phases in that scheme.
var electricityOthers = map[byte]string{
	81: "angle", 82: "pulses", 83: "losses", 84: "power factor export", 85: "power factor export L1", 86: "power factor export L2",
	87: "power factor export L3", 88: "ampere-squared hours", 89: "volt-squared hours", 90: "sum of currents", 91: "current neutral",
	92: "voltage neutral", 100: "reactive % inductive", 101: "reactive % inductive L1", 102: "reactive % inductive L2",
	103: "reactive % inductive L3", 104: "reactive % capacitive", 105: "reactive % capacitive L1", 106: "reactive % capacitive L2",
	107: "reactive % capacitive L3", 124: "voltage L1-L2", 125: "voltage L2-L3", 126: "voltage L3-L1",
}

// electricityKinds are what group D makes of a quantity; those that begin with
// "E" make an energy of a power.
var electricityKinds = [60]string{
	0: "average of billing period", 1: "cumulative minimum", 2: "cumulative maximum", 3: "minimum", 4: "current average", 5: "last average", 6: "maximum",
	7: "", 8: "E", 9: "E since start of billing period", 10: "E above threshold",
	11: "cumulative minimum 2", 12: "cumulative maximum 2", 13: "minimum 2", 14: "current average 2", 15: "last average 2", 16: "maximum 2",
	17: "E time integral 7", 18: "E time integral 8", 19: "E time integral 9", 20: "E time integral 10",
	21: "cumulative minimum 3", 22: "cumulative maximum 3", 23: "minimum 3", 24: "current average 3", 25: "last average 3", 26: "maximum 3",
	27: "current average of recording interval 1", 28: "current average of recording interval 2",
	29: "E since start of recording interval 1", 30: "E since start of recording interval 2",
	31: "lower limit", 32: "times under limit", 33: "time under limit", 34: "magnitude under limit",
	35: "upper limit", 36: "times over limit", 37: "time over limit", 38: "magnitude over limit",
	39: "limit of missing", 40: "times missing", 41: "time missing", 42: "magnitude missing",
	43: "time threshold under limit", 44: "time threshold over limit", 45: "time threshold missing", 46: "contracted value",
	49: "average of recording interval 1", 50: "average of recording interval 2",
	51: "minimum of recording interval 1", 52: "minimum of recording interval 2", 53: "maximum of recording interval 1", 54: "maximum of recording interval 2",
	55: "test average", 56: "current average 4", 58: "E time integral 4",
}

func (c Code) electricity() string {
	switch c[2] {
	case 0:
		return c.electricityGeneral()
	case 93:
		return "consortium specific"
	case 94:
		return join("country specific", country(c[3]))
	case 96, 97, 98, 99:
		return c.service()
	}
	quantity := electricityOthers[c[2]]
	if c[2] >= 1 && c[2] <= 80 {
		phase := (c[2] - 1) / 20
		quantity = electricityQuantities[(c[2]-1)%20+1]
		if phase > 0 {
			quantity += " L" + strconv.Itoa(int(phase))
		} else if c[2] == 11 || c[2] == 12 {
			quantity += " of any phase"
		}
	}
	if quantity == "" {
		return ""
	}
	if c[3] != 7 && (int(c[3]) >= len(electricityKinds) || electricityKinds[c[3]] == "") {
		return ""
	}
	kind, isEnergy := strings.CutPrefix(electricityKinds[c[3]], "E")
	word := "power"
	if isEnergy {
		word = "energy"
	}
	quantity = strings.Replace(quantity, "%", word, 1)
	kind = strings.TrimSpace(kind)
	if c[3] >= 31 && c[3] <= 45 {
		return join(quantity, kind, c.threshold(), c.channel())
	}
	return join(quantity, kind, c.electricityDetail(isEnergy), c.period(), c.channel())
}

// threshold is what E and F say of limits.
func (c Code) threshold() string {
	if c[5] <= 99 {
		return numbered("threshold", c[5])
	}
	return ""
}

// electricityDetail is what group E says.
func (c Code) electricityDetail(isEnergy bool) string {
	base := c[2]
	switch {
	case base == 81:
		return angle(c[4])
	case base == 82 || base == 83:
		if c[4] == 0 {
			return ""
		}
		return numbered("kind", c[4])
	case harmonics(base) && (c[3] == 7 || c[3] == 24 || c[3] == 56):
		switch e := c[4]; {
		case e == 0:
			return ""
		case e == 1:
			return "fundamental"
		case e <= 120:
			return numbered("harmonic", e)
		case e == 124:
			return "total harmonic distortion"
		case e == 125:
			return "total demand distortion"
		case e == 126:
			return "all harmonics"
		case e == 127:
			return "all harmonics to nominal value"
		default:
			return ""
		}
	case isEnergy:
		return c.rate()
	case c[4] == 0:
		return ""
	default:
		return c.rate()
	}
}

// harmonics reports whether group E counts harmonics of this quantity.
func harmonics(quantity byte) bool {
	switch quantity {
	case 11, 12, 15, 31, 32, 35, 51, 52, 55, 71, 72, 75, 90, 91, 92:
		return true
	default:
		return false
	}
}

var angleEnds = [8]string{"U(L1)", "U(L2)", "U(L3)", "", "I(L1)", "I(L2)", "I(L3)", "I(neutral)"}

// angle is which angle it is: from the units to the tens.
func angle(e byte) string {
	from, to := entry(angleEnds[:], e%10), entry(angleEnds[:], e/10)
	if from == "" || to == "" {
		return ""
	}
	return from + " to " + to
}

// electricityGeneral are the general purpose codes of electricity, by D and E.
func (c Code) electricityGeneral() string {
	s := c.generalEntry()
	switch c[3] {
	case 2:
		if c[4] == 2 {
			s = "time switch program number"
		}
	case 3:
		s = entry([]string{"pulse constant active LED", "pulse constant reactive LED", "pulse constant apparent LED",
			"pulse constant active output", "pulse constant reactive output", "pulse constant apparent output",
			"pulse constant volt-squared hours", "pulse constant ampere-squared hours",
			"pulse constant transformer losses", "pulse constant line losses"}, c[4])
	case 4:
		s = entry([]string{"reading factor power", "reading factor energy", "current transformer ratio", "voltage transformer ratio",
			"overall transformer ratio", "current transformer ratio denominator", "voltage transformer ratio denominator", "overall transformer ratio denominator"}, c[4])
	case 6:
		s = entry([]string{"nominal voltage", "nominal current", "nominal frequency", "maximum current", "reference voltage power quality", "reference voltage auxiliary supply"}, c[4])
	case 8:
		s = entry([]string{"measurement period 1", "measurement period 2", "measurement period 3", "", "recording interval 1", "recording interval 2", "length of billing period"}, c[4])
	case 11:
		s = "measurement algorithm"
	default:
	}
	if s == "" {
		return ""
	}
	return join(s, c.period(), c.channel())
}

func billing(e byte) string {
	return entry([]string{"billing period counter", "number of available billing periods", "time of billing"}, e)
}

func firmware(e byte) string {
	return entry([]string{0: "firmware identifier", 1: "firmware version", 2: "", 8: "firmware signature"}, e)
}

func clockOf(e byte) string {
	return entry([]string{"", "local time", "local date"}, e)
}
