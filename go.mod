module github.com/telegraf-dlms/telegraf-dlms

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0
	github.com/influxdata/line-protocol/v2 v2.2.1
	github.com/influxdata/telegraf v1.37.2
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
