//go:build tools

package lab

import _ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
