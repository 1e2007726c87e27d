# What the Vagrantfile needs besides Vagrant: ports, the box that is meant, and what a failed `vagrant up` left.
require "digest"
require "fileutils"
require "open3"
require "socket"

module Deadpeer
  # Fails in one line, as Vagrant's own errors do.
  class Refusal < Vagrant::Errors::VagrantError
    def initialize(text)
      @text = text
      super()
    end

    def error_message
      @text
    end
  end

  # The ports of 127.0.0.1 that a lab takes: twenty in a row. Where they begin depends on the user, so that those who share a
  # computer do not meet; DEADPEER_PORTS says it otherwise.
  class Ports
    def initialize(first)
      @first = first ? Integer(first) : 12_000 + Process.uid % 1000 * 20
    rescue ArgumentError
      raise Refusal, "DEADPEER_PORTS=#{first} is no port number"
    end

    # TCP: leads to the SSH server of this host.
    def ssh(host)
      @first + %w[client server router].index(host)
    end

    # UDP: the end of a link on this side, 0 or 1.
    def link(number, side)
      @first + 10 + number * 2 + side
    end

    # Fails if somebody else has one of these.
    def require_free(tcp, udp)
      tcp.each { |port| try(port, "TCP") { TCPServer.new("127.0.0.1", port) } }
      udp.each { |port| try(port, "UDP") { UDPSocket.new.tap { |socket| socket.bind("127.0.0.1", port) } } }
    end

    private

    def try(port, kind)
      yield.close
    rescue SystemCallError => e
      raise Refusal, "#{kind} port #{port} of 127.0.0.1 cannot be had: #{e.message}\n\n" \
                     "See who has it: ss -#{kind[0].downcase}lpn sport = #{port}\n" \
                     "or take twenty others:  DEADPEER_PORTS=#{@first + 1000} vagrant up, and likewise each later command"
    end
  end

  # A box that `controller image box` added.
  class Box
    # Where it is, for libvirt; nothing if Vagrant does not have it. Of several versions the one that was added last: their numbers
    # tell them apart, and have no order.
    attr_reader :folder

    def initialize(name)
      home = ENV["VAGRANT_HOME"] || File.expand_path("~/.vagrant.d")
      @boxes = File.join(home, "boxes", name.gsub("/", "-VAGRANTSLASH-"))
      newest = Dir.glob(File.join(@boxes, "*", "**", "libvirt", "metadata.json")).max_by { |file| File.mtime(file) }
      @folder = newest && File.dirname(newest)
    end

    def version
      @folder && @folder.delete_prefix("#{@boxes}/").split("/").first
    end
  end

  # What libvirt keeps for this lab: a storage pool of its own, in a folder of its own, and domains. All of it goes with the last machine, and
  # so does what Vagrant has forgotten, as it does when one of several machines cannot be made.
  class Keep
    # What a domain or pool of this lab is called: this, and then the host. It stands for the folder of the Vagrantfile.
    attr_reader :prefix, :pool, :folder

    def initialize(uri, vagrantfile)
      @uri = uri
      @source = "Source: #{vagrantfile}" # what the plugin writes into a domain's description
      here = File.dirname(vagrantfile)
      @pool = "deadpeer-#{Digest::SHA256.hexdigest(here)[0, 6]}"
      @prefix = "#{@pool}_"
      # Root's QEMU runs as another user, who cannot look into everybody's home.
      @folder = Process.uid.zero? ? "/var/lib/libvirt/#{@pool}" : File.join(here, ".vagrant", "libvirt")
      @lock = Mutex.new
    end

    # Has the pool be there, and these files in its folder.
    def open(files)
      @lock.synchronize do
        virsh!("uri")
        FileUtils.mkdir_p(@folder)
        files.each { |file| FileUtils.cp(file, @folder, preserve: true) unless copied?(file) }
        virsh!("pool-create-as", @pool, "dir", "--target", @folder) unless virsh("pool-info", @pool)
      end
    end

    # Removes the domain of this host and its disk, if Vagrant, which knows it by this id, does not know it. That it is ours its name
    # and its description must both say.
    def sweep(host, id)
      name = "#{@prefix}#{host}"
      uuid = virsh("domuuid", name).to_s.strip
      return if uuid.empty? || uuid == id || virsh("desc", name).to_s.strip != @source

      virsh("destroy", uuid)
      virsh("undefine", uuid, "--managed-save", "--snapshots-metadata")
      FileUtils.rm_f(File.join(@folder, "#{name}.img"))
      virsh("pool-refresh", @pool)
    end

    # Removes the pool and its folder if no machine has a disk in it.
    def close
      @lock.synchronize do
        return if virsh("list", "--all", "--name").nil? || Dir.glob(File.join(@folder, "#{@prefix}*")).any?

        virsh("pool-destroy", @pool)
        FileUtils.rm_rf(@folder)
      end
    end

    private

    def copied?(file)
      copy = File.join(@folder, File.basename(file))
      File.exist?(copy) && File.mtime(copy) == File.mtime(file) && File.size(copy) == File.size(file)
    end

    # What virsh prints; nothing if it fails.
    def virsh(*words)
      virsh!(*words)
    rescue Refusal
      nil
    end

    def virsh!(*words)
      output, errors, status = Open3.capture3("virsh", "--quiet", "--connect", @uri, *words)
      return output if status.success?

      raise Refusal, "virsh --connect #{@uri} #{words.join(' ')}\n#{errors.strip}\n\n" \
                     "What is missing, and what helps: ../lab doctor\nIt is installed by: ../lab setup vagrant"
    rescue Errno::ENOENT
      raise Refusal, "virsh is missing, by which libvirt is asked.\n\n../lab setup vagrant"
    end
  end
end
