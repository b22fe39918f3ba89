//go:build tools

package lab

import _ "k8s.io/kubernetes/cmd/kubectl"
