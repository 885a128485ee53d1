package cosem

import "strings"

// ScalerAttribute returns the attribute that holds the scaler and unit of the
// values of class c; false if the class has none.
func ScalerAttribute(c ClassID) (id int8, ok bool) {
	switch c {
	case Register, ExtendedRegister:
		return 3, true
	case DemandRegister, RegisterTable:
		return 4, true
	default:
		return 0, false
	}
}

// AttributeName returns the name of an attribute in the standard, for example
// "scaler_unit"; "" if it is not known.
func AttributeName(c ClassID, id int8) string {
	if id == 1 {
		return "logical_name" // of every class
	}
	if id < 2 {
		return ""
	}
	i := int8(2)
	for name := range strings.SplitSeq(attributeNames[c], " ") {
		if i == id {
			return name
		}
		i++
	}
	return ""
}

// attributeNames holds the names of the attributes from the second on.
var attributeNames = map[ClassID]string{
	Data:                 "value",
	Register:             "value scaler_unit",
	ExtendedRegister:     "value scaler_unit status capture_time",
	DemandRegister:       "current_average_value last_average_value scaler_unit status capture_time start_time_current period number_of_periods",
	RegisterActivation:   "register_assignment mask_list active_mask",
	ProfileGeneric:       "buffer capture_objects capture_period sort_method sort_object entries_in_use profile_entries",
	Clock:                "time time_zone status daylight_savings_begin daylight_savings_end daylight_savings_deviation daylight_savings_enabled clock_base",
	ScriptTable:          "scripts",
	Schedule:             "entries",
	SpecialDaysTable:     "entries",
	AssociationSN:        "object_list access_rights_list security_setup_reference user_list current_user",
	AssociationLN:        "object_list associated_partners_id application_context_name xDLMS_context_info authentication_mechanism_name secret association_status security_setup_reference user_list current_user",
	SAPAssignment:        "SAP_assignment_list",
	ImageTransfer:        "image_block_size image_transferred_blocks_status image_first_not_transferred_block_number image_transfer_enabled image_transfer_status image_to_activate_info",
	IECLocalPortSetup:    "default_mode default_baud prop_baud response_time device_addr pass_p1 pass_p2 pass_w5",
	ActivityCalendar:     "calendar_name_active season_profile_active week_profile_table_active day_profile_table_active calendar_name_passive season_profile_passive week_profile_table_passive day_profile_table_passive activate_passive_calendar_time",
	RegisterMonitor:      "thresholds monitored_value actions",
	SingleActionSchedule: "executed_script type execution_time",
	IECHDLCSetup:         "comm_speed window_size_transmit window_size_receive max_info_field_length_transmit max_info_field_length_receive inter_octet_time_out inactivity_time_out device_address",
	ModemConfiguration:   "comm_speed initialization_string modem_profile",
	AutoAnswer:           "mode listening_window status number_of_calls number_of_rings list_of_allowed_callers",
	AutoConnect:          "mode repetitions repetition_delay calling_window destination_list",
	PushSetup:            "push_object_list send_destination_and_method communication_window randomisation_start_interval number_of_retries repetition_delay port_reference push_client_SAP push_protection_parameters push_operation_method confirmation_parameters last_confirmation_date_time",
	TCPUDPSetup:          "TCP-UDP_port IP_reference MSS nb_of_sim_conn inactivity_time_out",
	IPv4Setup:            "DL_reference IP_address multicast_IP_address IP_options subnet_mask gateway_IP_address use_DHCP_flag primary_DNS_address secondary_DNS_address",
	MACAddressSetup:      "MAC_address",
	PPPSetup:             "PHY_reference LCP_options IPCP_options PPP_authentication",
	GPRSModemSetup:       "APN PIN_code quality_of_service",
	GSMDiagnostic:        "operator status circuit_switch_status packet_switch_status cell_info adjacent_cells capture_time",
	RegisterTable:        "table_cell_values table_cell_definition scaler_unit",
	CompactData:          "compact_buffer capture_objects template_id template_description capture_method",
	StatusMapping:        "status_word mapping_table",
	SecuritySetup:        "security_policy security_suite client_system_title server_system_title certificates",
	ParameterMonitor:     "changed_parameter capture_time parameter_list",
	DisconnectControl:    "output_state control_state control_mode",
	Limiter:              "monitored_value threshold_active threshold_normal threshold_emergency min_over_threshold_duration min_under_threshold_duration emergency_profile emergency_profile_group_id_list emergency_profile_active actions",
	MBusClient:           "mbus_port_reference capture_definition capture_period primary_address identification_number manufacturer_id version device_type access_number status alarm configuration encryption_key_status",
	Account:              "account_mode_and_status current_credit_in_use current_credit_status available_credit amount_to_clear clearance_threshold aggregated_debt credit_reference_list charge_reference_list credit_charge_configuration token_gateway_configuration account_activation_time account_closure_time currency low_credit_threshold next_credit_available_threshold max_provision max_provision_period",
}
