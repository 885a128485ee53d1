package cosem

import "github.com/telegraf-dlms/telegraf-dlms/dlms/obis"

// GuessClass returns the class that an object with the logical name c has by
// the value groups of the standard (Blue Book Ed. 13, clauses 6 "Relation to
// OBIS" and 7 "COSEM Object Identification System"). Where the standard leaves
// a choice, it is the class that meters use most; where it says nothing it is
// [Register].
func GuessClass(c obis.Code) ClassID {
	switch c[0] {
	case 0:
		return guessAbstract(c)
	case 1:
		return guessElectricity(c)
	case 4, 5, 6, 7, 8, 9, 15:
		return guessMedium(c)
	default:
		return Register
	}
}

// guessGeneral knows the entries that abstract objects and all media share. It
// returns 0 for others.
func guessGeneral(c obis.Code) ClassID {
	d, e := c[3], c[4]
	switch c[2] {
	case 0, 94, 97: // general purpose, country specific, error registers
		return Data
	case 96:
		switch {
		case d == 3 && e == 10:
			return DisconnectControl
		case d == 6 && e == 3, d == 9, d == 12 && e == 5: // battery voltage, temperature, field strength
			return Register
		default:
			return Data
		}
	case 98, 99:
		return ProfileGeneric
	default:
		return 0
	}
}

// guessMedium is for meters of heat, gas and water.
func guessMedium(c obis.Code) ClassID {
	if class := guessGeneral(c); class != 0 {
		return class
	}
	return Register
}

func guessElectricity(c obis.Code) ClassID {
	if class := guessGeneral(c); class != 0 {
		return class
	}
	switch c[3] {
	case 4, 5, 14, 15, 24, 25, 27, 28: // current and last averages
		return DemandRegister
	case 3, 6, 13, 16, 23, 26: // minima and maxima, which have a capture time
		return ExtendedRegister
	case 32, 36, 40: // how often a limit was passed
		return Data
	default:
		return Register
	}
}

func guessAbstract(c obis.Code) ClassID {
	if class := guessGeneral(c); class != 0 {
		return class
	}
	switch d := c[3]; c[2] {
	case 1:
		if d == 0 {
			return Clock
		}
		return Data // the same time as a number
	case 19:
		return guessPayment(d)
	default:
		if class, ok := abstractClasses[[2]uint8{c[2], d}]; ok {
			return class
		}
		if class, ok := abstractGroups[c[2]]; ok {
			return class
		}
		return Register
	}
}

// guessPayment knows the objects of payment metering by value group D.
func guessPayment(d uint8) ClassID {
	switch {
	case d < 10:
		return Account
	case d < 20:
		return Credit
	case d < 30:
		return Charge
	case d < 40:
		return Register
	case d < 50:
		return TokenGateway
	default:
		return Data // limits
	}
}

// abstractGroups are the abstract objects whose value group C gives the class.
var abstractGroups = map[uint8]ClassID{
	10: ScriptTable,
	11: SpecialDaysTable,
	12: Schedule,
	13: ActivityCalendar,
	14: RegisterActivation,
	15: SingleActionSchedule,
	17: Limiter,
	18: ArrayManager,
	20: IECLocalPortSetup,
	21: ProfileGeneric,
	22: IECHDLCSetup,
	31: WirelessModeQChannel,
	40: AssociationLN,
	41: SAPAssignment,
	42: Data,
	65: UtilityTables,
	66: CompactData,
}

// abstractClasses are those whose value groups C and D give it.
var abstractClasses = map[[2]uint8]ClassID{
	{2, 0}: ModemConfiguration,
	{2, 1}: AutoConnect,
	{2, 2}: AutoAnswer,

	{16, 0}: RegisterMonitor,
	{16, 1}: RegisterMonitor,
	{16, 2}: ParameterMonitor,

	{23, 0}: IECTwistedPairSetup,

	{24, 0}: MBusSlavePortSetup,
	{24, 1}: MBusClient,
	{24, 2}: ExtendedRegister,
	{24, 3}: ProfileGeneric,
	{24, 4}: DisconnectControl,
	{24, 5}: ProfileGeneric,
	{24, 6}: MBusMasterPortSetup,
	{24, 8}: DLMSServerMBusPortSetup,
	{24, 9}: MBusDiagnostic,

	{25, 0}:  TCPUDPSetup,
	{25, 1}:  IPv4Setup,
	{25, 2}:  MACAddressSetup,
	{25, 3}:  PPPSetup,
	{25, 4}:  GPRSModemSetup,
	{25, 5}:  SMTPSetup,
	{25, 6}:  GSMDiagnostic,
	{25, 7}:  IPv6Setup,
	{25, 9}:  PushSetup,
	{25, 10}: NTPSetup,
	{25, 11}: LTEMonitoring,

	{26, 0}: SFSKPhyMACSetup,
	{26, 1}: SFSKActiveInitiator,
	{26, 2}: SFSKMACSyncTimeouts,
	{26, 3}: SFSKMACCounters,
	{26, 5}: LLCSetup61334,
	{26, 6}: SFSKReportingSystemList,

	{27, 0}: LLCType1Setup,
	{27, 1}: LLCType2Setup,
	{27, 2}: LLCType3Setup,

	{28, 0}: LLCSSCSSetup61334,
	{28, 1}: PRIMEPhysicalCounters,
	{28, 2}: PRIMEMACSetup,
	{28, 3}: PRIMEMACFunctional,
	{28, 4}: PRIMEMACCounters,
	{28, 5}: PRIMEMACAdministration,
	{28, 6}: MACAddressSetup,
	{28, 7}: PRIMEApplications,

	{29, 0}: G3MACCounters,
	{29, 1}: G3MACSetup,
	{29, 2}: G36LoWPANSetup,

	{30, 0}: ZigBeeSASStartup,
	{30, 1}: ZigBeeSASJoin,
	{30, 2}: ZigBeeSASAPS,
	{30, 3}: ZigBeeNetworkControl,
	{30, 4}: ZigBeeTunnelSetup,

	{33, 0}: HSPLCMACSetup,
	{33, 1}: HSPLCCPASSetup,
	{33, 2}: HSPLCIPSSASSetup,
	{33, 3}: HSPLCHDLCSSASSetup,

	{43, 0}: SecuritySetup,
	{43, 1}: Data,
	{43, 2}: DataProtection,

	{44, 0}: ImageTransfer,
	{44, 1}: FunctionControl,
	{44, 2}: CommunicationProtection,
}
