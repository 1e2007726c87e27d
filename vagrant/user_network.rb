# The address of a machine whose SSH port is a port of this computer.
#
# vagrant-libvirt looks for it in libvirt's networks or asks an agent in the guest. Here there are no networks, and a box from
# elsewhere has no agent; but the address is known: QEMU's user network forwards a port of 127.0.0.1, and nothing else
# leads to the machine. vagrant-libvirt 0.12 says the same by its option `qemu_user_networking`, with NICs of its own making.
require "vagrant-libvirt/driver"

module Deadpeer
  module UserNetwork
    def get_ipaddress(domain = nil)
      return super unless @machine.config.ssh.host == "127.0.0.1" && !@machine.provider_config.mgmt_attach

      "127.0.0.1" if domain || get_domain
    end
  end
end

driver = VagrantPlugins::ProviderLibvirt::Driver
unless driver.method_defined?(:get_ipaddress)
  raise Vagrant::Errors::VagrantError.new, "vagrant-libvirt #{VagrantPlugins::ProviderLibvirt::VERSION} is none that this lab knows: use 0.11"
end
driver.prepend(Deadpeer::UserNetwork) unless driver < Deadpeer::UserNetwork
