package obis

// hcaQuantities, waterQuantities and thermalQuantities are the quantities of
// group C.
var (
	hcaQuantities = [8]string{1: "unrated integral", 2: "rated integral", 3: "radiator temperature", 4: "medium temperature",
		5: "flow temperature", 6: "return temperature", 7: "room temperature"}
	waterQuantities   = [4]string{1: "volume", 2: "flow rate", 3: "temperature"}
	thermalQuantities = [14]string{1: "energy", 2: "volume", 3: "mass", 4: "inlet volume", 5: "inlet mass", 6: "outlet volume", 7: "outlet mass",
		8: "power", 9: "flow rate", 10: "inlet temperature", 11: "outlet temperature", 12: "temperature difference", 13: "pressure"}
)

// simple are the codes of media that have few: water and heat cost allocators.
func (c Code) simple(medium string, quantities []string) string {
	switch c[2] {
	case 0:
		return c.general(medium)
	case 93, 94, 96, 97, 98, 99:
		return c.special(medium)
	}
	kinds := []string{"", "periodical value", "set date value", "billing date value", "minimum", "maximum", "test value"}
	quantity := entry(quantities, c[2])
	if quantity == "" || int(c[3]) >= len(kinds) {
		return ""
	}
	return join(medium+" "+quantity, kinds[c[3]], c.rateIfAny(), c.period(), c.channel())
}

func (c Code) thermal(medium string) string {
	switch c[2] {
	case 0:
		return c.general(medium)
	case 93, 94, 96, 97, 98, 99:
		return c.special(medium)
	}
	kinds := []string{0: "", 1: "periodical value", 2: "set date value", 3: "billing date value", 4: "minimum", 5: "maximum", 6: "test value",
		7: "instantaneous", 8: "time integral 1", 9: "time integral 2", 10: "current average", 11: "last average",
		20: "times under limit", 21: "time under limit", 22: "times over limit", 23: "time over limit", 24: "times missing", 25: "time missing"}
	quantity := entry(thermalQuantities[:], c[2])
	if quantity == "" || c[3] > 0 && entry(kinds, c[3]) == "" {
		return ""
	}
	return join(medium+" "+quantity, kinds[c[3]], c.rateIfAny(), c.period(), c.channel())
}

func (c Code) rateIfAny() string {
	if c[4] == 0 {
		return ""
	}
	return c.rate()
}

// gasVolumes are the meters of a gas installation by C, each with an index.
var gasVolumes = map[byte]string{
	1: "volume undisturbed", 2: "volume disturbed", 3: "volume", 4: "reverse volume undisturbed", 5: "reverse volume disturbed", 6: "reverse volume",
	7: "encoder volume", 8: "encoder reverse volume", 11: "converter volume undisturbed", 12: "converter volume disturbed", 13: "converter volume",
	14: "converter reverse volume undisturbed", 15: "converter reverse volume disturbed", 16: "converter reverse volume",
	21: "logger volume undisturbed", 22: "logger volume disturbed", 23: "logger volume",
	24: "logger reverse volume undisturbed", 25: "logger reverse volume disturbed", 26: "logger reverse volume",
	31: "energy undisturbed", 32: "energy disturbed", 33: "energy", 34: "reverse energy undisturbed", 35: "reverse energy disturbed", 36: "reverse energy",
	61: "mass undisturbed", 62: "mass disturbed", 63: "mass", 64: "reverse mass undisturbed", 65: "reverse mass disturbed", 66: "reverse mass",
}

var gasQuantities = map[byte]string{
	41: "absolute temperature", 42: "absolute pressure", 43: "flow rate", 44: "velocity of sound", 45: "density", 46: "relative density",
	47: "gauge pressure", 48: "differential pressure", 49: "density of air", 51: "correction factor", 52: "conversion factor",
	53: "compressibility factor", 54: "superior calorific value", 55: "deviation from gas law", 70: "analysis",
}

func (c Code) gas() string {
	switch c[2] {
	case 0:
		return c.general("gas")
	case 93, 94, 96, 97, 98, 99:
		return c.special("gas")
	}
	conditions := []string{"", "corrected", "at base conditions"}
	if volume := gasVolumes[c[2]]; volume != "" {
		const none = "-"
		kinds := []string{"", "corrected", "at base conditions", "redundant", none, none}
		for _, period := range []string{"a quarter of an hour", "an hour", "recording period 3"} {
			for _, which := range []string{"current", "last"} {
				for _, condition := range conditions {
					kinds = append(kinds, join(which+" difference of "+period, condition))
				}
			}
		}
		for _, condition := range conditions {
			kinds = append(kinds, join("daily index", condition))
		}
		for _, which := range []string{"current", "last"} {
			for _, condition := range conditions {
				kinds = append(kinds, join(which+" daily difference", condition))
			}
		}
		if int(c[3]) >= len(kinds) || kinds[c[3]] == none {
			return ""
		}
		return join("gas "+volume, kinds[c[3]], c.rateIfAny(), c.period(), c.channel())
	}
	quantity := gasQuantities[c[2]]
	if quantity == "" {
		return ""
	}
	return join("gas "+quantity, entry(conditions, c[3]), c.period(), c.channel())
}

// general are the general purpose codes of a medium.
func (c Code) general(medium string) string {
	s := c.generalEntry()
	if s == "" {
		return ""
	}
	return join(medium+" "+s, c.period(), c.channel())
}

// generalEntry are the general purpose codes that all media share, by D and E.
func (c Code) generalEntry() string {
	switch {
	case c[3] == 0 && c[4] <= 9:
		return numbered("meter number", c[4]+1)
	case c[3] == 1:
		return billing(c[4])
	case c[3] == 2:
		return firmware(c[4])
	case c[3] == 9:
		return clockOf(c[4])
	default:
		return ""
	}
}

// special are the service entries of a medium.
func (c Code) special(medium string) string {
	switch s := c.service(); {
	case c[2] == 93:
		return medium + ", consortium specific"
	case c[2] == 94:
		return join(medium, "country specific", country(c[3]))
	case s == "":
		return ""
	default:
		return medium + " " + s
	}
}

// countries by group D of country specific codes.
var countries = map[byte]string{
	10: "Czech Republic", 31: "Netherlands", 32: "Belgium", 33: "France", 34: "Spain", 35: "Portugal", 36: "Hungary", 38: "Slovenia", 39: "Italy",
	40: "Romania", 41: "Switzerland", 42: "Slovakia", 43: "Austria", 44: "United Kingdom", 45: "Denmark", 46: "Sweden", 47: "Norway", 48: "Poland",
	49: "Germany", 91: "India",
}

func country(d byte) string { return countries[d] }
