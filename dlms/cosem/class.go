package cosem

import "strconv"

// ClassID is the class_id of an interface class.
type ClassID uint16

// The interface classes of Blue Book Ed. 13, clause 4.
const (
	Data                    ClassID = 1
	Register                ClassID = 3
	ExtendedRegister        ClassID = 4
	DemandRegister          ClassID = 5
	RegisterActivation      ClassID = 6
	ProfileGeneric          ClassID = 7
	Clock                   ClassID = 8
	ScriptTable             ClassID = 9
	Schedule                ClassID = 10
	SpecialDaysTable        ClassID = 11
	AssociationSN           ClassID = 12
	AssociationLN           ClassID = 15
	SAPAssignment           ClassID = 17
	ImageTransfer           ClassID = 18
	IECLocalPortSetup       ClassID = 19
	ActivityCalendar        ClassID = 20
	RegisterMonitor         ClassID = 21
	SingleActionSchedule    ClassID = 22
	IECHDLCSetup            ClassID = 23
	IECTwistedPairSetup     ClassID = 24
	MBusSlavePortSetup      ClassID = 25
	UtilityTables           ClassID = 26
	ModemConfiguration      ClassID = 27
	AutoAnswer              ClassID = 28
	AutoConnect             ClassID = 29
	DataProtection          ClassID = 30
	PushSetup               ClassID = 40
	TCPUDPSetup             ClassID = 41
	IPv4Setup               ClassID = 42
	MACAddressSetup         ClassID = 43
	PPPSetup                ClassID = 44
	GPRSModemSetup          ClassID = 45
	SMTPSetup               ClassID = 46
	GSMDiagnostic           ClassID = 47
	IPv6Setup               ClassID = 48
	SFSKPhyMACSetup         ClassID = 50
	SFSKActiveInitiator     ClassID = 51
	SFSKMACSyncTimeouts     ClassID = 52
	SFSKMACCounters         ClassID = 53
	LLCSetup61334           ClassID = 55
	SFSKReportingSystemList ClassID = 56
	LLCType1Setup           ClassID = 57
	LLCType2Setup           ClassID = 58
	LLCType3Setup           ClassID = 59
	RegisterTable           ClassID = 61
	CompactData             ClassID = 62
	StatusMapping           ClassID = 63
	SecuritySetup           ClassID = 64
	ParameterMonitor        ClassID = 65
	SensorManager           ClassID = 67
	Arbitrator              ClassID = 68
	DisconnectControl       ClassID = 70
	Limiter                 ClassID = 71
	MBusClient              ClassID = 72
	WirelessModeQChannel    ClassID = 73
	MBusMasterPortSetup     ClassID = 74
	DLMSServerMBusPortSetup ClassID = 76
	MBusDiagnostic          ClassID = 77
	LLCSSCSSetup61334       ClassID = 80
	PRIMEPhysicalCounters   ClassID = 81
	PRIMEMACSetup           ClassID = 82
	PRIMEMACFunctional      ClassID = 83
	PRIMEMACCounters        ClassID = 84
	PRIMEMACAdministration  ClassID = 85
	PRIMEApplications       ClassID = 86
	G3MACCounters           ClassID = 90
	G3MACSetup              ClassID = 91
	G36LoWPANSetup          ClassID = 92
	NTPSetup                ClassID = 100
	ZigBeeSASStartup        ClassID = 101
	ZigBeeSASJoin           ClassID = 102
	ZigBeeSASAPS            ClassID = 103
	ZigBeeNetworkControl    ClassID = 104
	ZigBeeTunnelSetup       ClassID = 105
	Account                 ClassID = 111
	Credit                  ClassID = 112
	Charge                  ClassID = 113
	TokenGateway            ClassID = 115
	FunctionControl         ClassID = 122
	ArrayManager            ClassID = 123
	CommunicationProtection ClassID = 124
	HSPLCMACSetup           ClassID = 140
	HSPLCCPASSetup          ClassID = 141
	HSPLCIPSSASSetup        ClassID = 142
	HSPLCHDLCSSASSetup      ClassID = 143
	LTEMonitoring           ClassID = 151
	CoAPSetup               ClassID = 152
	CoAPDiagnostic          ClassID = 153
)

// String returns the name of the class in the standard, for example
// "Extended register", or "unknown(66)".
func (c ClassID) String() string {
	if name, ok := classNames[c]; ok {
		return name
	}
	switch n := strconv.Itoa(int(c)); {
	case c >= 0x8000:
		return "user group specific(" + n + ")"
	case c >= 0x2000:
		return "manufacturer specific(" + n + ")"
	default:
		return "unknown(" + n + ")"
	}
}

// Known reports whether the standard defines the class.
func (c ClassID) Known() bool {
	_, ok := classNames[c]
	return ok
}

var classNames = map[ClassID]string{ //nolint:gosec // G101 takes "token" for a secret
	Data:                    "Data",
	Register:                "Register",
	ExtendedRegister:        "Extended register",
	DemandRegister:          "Demand register",
	RegisterActivation:      "Register activation",
	ProfileGeneric:          "Profile generic",
	Clock:                   "Clock",
	ScriptTable:             "Script table",
	Schedule:                "Schedule",
	SpecialDaysTable:        "Special days table",
	AssociationSN:           "Association SN",
	AssociationLN:           "Association LN",
	SAPAssignment:           "SAP assignment",
	ImageTransfer:           "Image transfer",
	IECLocalPortSetup:       "IEC local port setup",
	ActivityCalendar:        "Activity calendar",
	RegisterMonitor:         "Register monitor",
	SingleActionSchedule:    "Single action schedule",
	IECHDLCSetup:            "IEC HDLC setup",
	IECTwistedPairSetup:     "IEC twisted pair setup",
	MBusSlavePortSetup:      "M-Bus slave port setup",
	UtilityTables:           "Utility tables",
	ModemConfiguration:      "Modem configuration",
	AutoAnswer:              "Auto answer",
	AutoConnect:             "Auto connect",
	DataProtection:          "Data protection",
	PushSetup:               "Push setup",
	TCPUDPSetup:             "TCP-UDP setup",
	IPv4Setup:               "IPv4 setup",
	MACAddressSetup:         "MAC address setup",
	PPPSetup:                "PPP setup",
	GPRSModemSetup:          "GPRS modem setup",
	SMTPSetup:               "SMTP setup",
	GSMDiagnostic:           "GSM diagnostic",
	IPv6Setup:               "IPv6 setup",
	SFSKPhyMACSetup:         "S-FSK Phy&MAC setup",
	SFSKActiveInitiator:     "S-FSK Active initiator",
	SFSKMACSyncTimeouts:     "S-FSK MAC synchronization timeouts",
	SFSKMACCounters:         "S-FSK MAC counters",
	LLCSetup61334:           "IEC 61334-4-32 LLC setup",
	SFSKReportingSystemList: "S-FSK Reporting system list",
	LLCType1Setup:           "ISO/IEC 8802-2 LLC Type 1 setup",
	LLCType2Setup:           "ISO/IEC 8802-2 LLC Type 2 setup",
	LLCType3Setup:           "ISO/IEC 8802-2 LLC Type 3 setup",
	RegisterTable:           "Register table",
	CompactData:             "Compact data",
	StatusMapping:           "Status mapping",
	SecuritySetup:           "Security setup",
	ParameterMonitor:        "Parameter monitor",
	SensorManager:           "Sensor manager",
	Arbitrator:              "Arbitrator",
	DisconnectControl:       "Disconnect control",
	Limiter:                 "Limiter",
	MBusClient:              "M-Bus client",
	WirelessModeQChannel:    "Wireless Mode Q channel",
	MBusMasterPortSetup:     "M-Bus master port setup",
	DLMSServerMBusPortSetup: "DLMS server M-Bus port setup",
	MBusDiagnostic:          "M-Bus diagnostic",
	LLCSSCSSetup61334:       "61334-4-32 LLC SSCS setup",
	PRIMEPhysicalCounters:   "PRIME NB OFDM PLC Physical layer counters",
	PRIMEMACSetup:           "PRIME NB OFDM PLC MAC setup",
	PRIMEMACFunctional:      "PRIME NB OFDM PLC MAC functional parameters",
	PRIMEMACCounters:        "PRIME NB OFDM PLC MAC counters",
	PRIMEMACAdministration:  "PRIME NB OFDM PLC MAC network administration data",
	PRIMEApplications:       "PRIME NB OFDM PLC Application identification",
	G3MACCounters:           "G3-PLC MAC layer counters",
	G3MACSetup:              "G3-PLC MAC setup",
	G36LoWPANSetup:          "G3-PLC 6LoWPAN adaptation layer setup",
	NTPSetup:                "NTP setup",
	ZigBeeSASStartup:        "ZigBee SAS startup",
	ZigBeeSASJoin:           "ZigBee SAS join",
	ZigBeeSASAPS:            "ZigBee SAS APS fragmentation",
	ZigBeeNetworkControl:    "ZigBee network control",
	ZigBeeTunnelSetup:       "ZigBee tunnel setup",
	Account:                 "Account",
	Credit:                  "Credit",
	Charge:                  "Charge",
	TokenGateway:            "Token gateway",
	FunctionControl:         "Function control",
	ArrayManager:            "Array manager",
	CommunicationProtection: "Communication port protection",
	HSPLCMACSetup:           "HS-PLC ISO/IEC 12139-1 MAC setup",
	HSPLCCPASSetup:          "HS-PLC ISO/IEC 12139-1 CPAS setup",
	HSPLCIPSSASSetup:        "HS-PLC ISO/IEC 12139-1 IP SSAS setup",
	HSPLCHDLCSSASSetup:      "HS-PLC ISO/IEC 12139-1 HDLC SSAS setup",
	LTEMonitoring:           "LTE monitoring",
	CoAPSetup:               "CoAP setup",
	CoAPDiagnostic:          "CoAP diagnostic",
}
