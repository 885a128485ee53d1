package obis

// abstractWords are the codes of medium 0 by C and D; most count instances in E.
var abstractWords = map[[2]byte]string{
	{1, 0}: "clock", {1, 1}: "clock in Unix seconds", {1, 2}: "clock in microseconds",
	{2, 0}: "modem configuration", {2, 1}: "modem auto connect", {2, 2}: "modem auto answer",
	{11, 0}: "special days", {12, 0}: "schedule", {13, 0}: "activity calendar", {14, 0}: "register activation",
	{16, 0}: "register monitor", {16, 1}: "alarm monitor", {16, 2}: "parameter monitor", {17, 0}: "limiter", {18, 0}: "array manager",
	{20, 0}: "local port setup", {21, 0}: "readout profile", {22, 0}: "HDLC setup", {23, 0}: "twisted pair setup",
	{24, 0}: "M-Bus port setup", {24, 1}: "M-Bus client", {24, 2}: "M-Bus value", {24, 3}: "M-Bus profile", {24, 4}: "M-Bus disconnect control", {24, 5}: "M-Bus control log",
	{25, 0}: "TCP-UDP setup", {25, 1}: "IPv4 setup", {25, 2}: "MAC address setup", {25, 3}: "PPP setup", {25, 4}: "GPRS setup", {25, 5}: "SMTP setup",
	{25, 6}: "GSM diagnostic", {25, 7}: "IPv6 setup", {25, 9}: "push setup", {25, 10}: "NTP setup",
	{40, 0}: "association", {41, 0}: "SAP assignment", {42, 0}: "logical device name",
	{43, 0}: "security setup", {43, 1}: "invocation counter", {43, 2}: "data protection",
	{44, 0}: "image transfer", {44, 1}: "function control", {44, 2}: "communication port protection",
	{65, 0}: "utility tables", {66, 0}: "compact data",
}

// abstractGroups are what C says where D is not known.
var abstractGroups = map[byte]string{
	10: "script table", 15: "single action schedule", 19: "payment", 26: "S-FSK PLC", 27: "LLC setup", 28: "PRIME PLC", 29: "G3 PLC", 30: "ZigBee", 31: "wireless M-Bus mode Q", 33: "HS-PLC",
	127: "inactive object",
}

var scripts = map[byte]string{
	0: "global meter reset", 1: "end of billing period", 100: "tariff", 101: "test mode", 102: "normal mode", 103: "output signals", 104: "switch optical test output",
	105: "power quality", 106: "disconnect control", 107: "image activation", 108: "push", 109: "load profile control", 110: "M-Bus profile control", 111: "function control",
}

var actionSchedules = map[byte]string{
	0: "end of billing period", 1: "disconnect control", 2: "image activation", 3: "output control", 4: "push", 5: "load profile control", 6: "M-Bus profile control", 7: "function control",
}

func (c Code) abstract() string {
	switch c[2] {
	case 0:
		return c.general("meter")
	case 10:
		return join("script table", scripts[c[4]])
	case 15:
		return join("single action schedule", actionSchedules[c[4]])
	case 93:
		return "consortium specific"
	case 94:
		return join("country specific", country(c[3]))
	case 96, 97, 98, 99:
		return c.service()
	}
	s := abstractWords[[2]byte{c[2], c[3]}]
	switch {
	case s == "":
		return abstractGroups[c[2]]
	case c[2] == 40 && c[4] == 0:
		return "current association"
	case c[2] == 20:
		s = join(s, entry([]string{"optical", "electrical"}, c[4]))
	case c[4] != 0 || c[2] == 16 || c[2] == 43 && c[3] == 1 || c[2] == 24 && c[3] == 2:
		s = numbered(s, c[4])
	default:
	}
	return join(s, c.channel())
}

// service are the codes with C from 96 to 99, which all media share.
func (c Code) service() string {
	switch c[2] {
	case 96:
		return join(c.general96(), c.channel())
	case 97:
		return join(errorsOf(c[3], c[4]), c.channel())
	case 98:
		if c[3] == 0 {
			return ""
		}
		return join(numbered("billing data", c[3]), c.period(), c.channel())
	default:
		return join(c.profileOf(), c.channel())
	}
}

func errorsOf(d, e byte) string {
	switch {
	case d == 97 && e <= 9:
		return numbered("error register", e+1)
	case d == 98 && e <= 9:
		return numbered("alarm register", e+1)
	case d == 98 && e <= 19:
		return numbered("alarm filter", e-9)
	case d == 98 && e <= 29:
		return numbered("alarm descriptor", e-19)
	default:
		return ""
	}
}

func (c Code) profileOf() string {
	switch d, e := c[3], c[4]; {
	case d == 1 || d == 2:
		if e != 0 {
			return numbered(numbered("load profile", d)+", part", e)
		}
		return numbered("load profile", d)
	case d == 10:
		return entry([]string{"", "voltage dip profile", "voltage swell profile", "voltage cut profile"}, e)
	case d == 11:
		return "harmonics profile"
	case d == 12:
		return "connection profile"
	case d == 13:
		return "GSM diagnostic profile"
	case d == 14:
		return "power quality profile"
	case d == 97:
		return "power failure log"
	case d == 98:
		return numbered("event log", e)
	case d == 99:
		return numbered("certification data log", e)
	default:
		return ""
	}
}

// general96 are the general and service entries, by D and E.
func (c Code) general96() string {
	e := c[4]
	in := func(words ...string) string { return entry(words, e) }
	switch c[3] {
	case 1:
		switch {
		case e == 0:
			return "serial number"
		case e <= 9:
			return numbered("device identifier", e+1)
		case e == 10:
			return "metering point identifier"
		}
	case 2:
		return in("number of configuration changes")
	case 3:
		if e <= 4 {
			return in("input and output signals", "input signals 1", "output signals 1", "input signals 2", "output signals 2")
		}
		if e == 10 {
			return "disconnect control"
		}
		if e >= 20 && e <= 29 {
			return numbered("arbitrator", e-19)
		}
	case 4:
		if e <= 4 {
			return in("internal control signals", "internal control signals 1", "internal control signals 2", "internal control signals 3", "internal control signals 4")
		}
	case 5:
		if e <= 4 {
			return in("internal operating status", "internal operating status 1", "internal operating status 2", "internal operating status 3", "internal operating status 4")
		}
	case 6:
		return in("battery use time", "battery charge", "battery next change", "battery voltage", "battery initial capacity", "battery installation", "battery remaining time",
			"", "", "", "auxiliary supply use time", "auxiliary supply voltage")
	case 7:
		return c.powerFailures()
	case 8:
		if e == 0 {
			return "operating time"
		}
		if e <= 63 {
			return numbered("operating time, rate", e)
		}
	case 9:
		return in("ambient temperature", "ambient pressure", "relative humidity")
	case 10:
		if e >= 1 && e <= 10 {
			return numbered("status register", e)
		}
	case 11:
		return numbered("event code", e)
	case 12:
		return in("", "", "", "", "", "GSM field strength", "telephone number")
	case 13:
		return in("consumer message by port", "consumer message on display")
	case 14:
		if e == 0 {
			return "active tariff"
		}
		if e <= 15 {
			return numbered("active tariff, register", e)
		}
	case 15:
		return numbered("event counter", e)
	case 20:
		return tampers[e]
	case 50:
		return "manufacturer specific"
	default:
	}
	if c[3] >= 50 && c[3] <= 99 {
		return "manufacturer specific"
	}
	return ""
}

// powerFailures are kinds in groups of five of E: of all phases, of each
// phase, and of any phase.
func (c Code) powerFailures() string {
	kinds := []string{"power failures", "long power failures", "time of power failure", "duration of last long power failure"}
	phases := []string{"all phases", "L1", "L2", "L3", "any phase"}
	switch e := c[4]; {
	case e == 4:
		return "power failures, auxiliary supply"
	case e == 20:
		return "time threshold of long power failures"
	case e == 21:
		return "power failures, any phase"
	case e > 21:
		return ""
	default:
		return entry(kinds, e/5) + ", " + entry(phases, e%5)
	}
}

var tampers = map[byte]string{
	0: "meter openings", 1: "time of last meter opening", 5: "terminal cover openings", 6: "time of last terminal cover opening",
	15: "magnetic field detections", 16: "time of last magnetic field detection",
}
