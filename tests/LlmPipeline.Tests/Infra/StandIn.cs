namespace LlmPipeline;

/// <summary>A throw-away copy of the repository's scripts with a <c>dotnet</c> of its own, which notes how it was called and does as it is told.</summary>
internal sealed class StandIn : IDisposable
{
    private static readonly string[] Tools =
    [
        "bash", "cat", "dirname", "env", "find", "flock", "git", "grep", "head", "id", "kill", "mkdir", "mv", "readlink", "rm", "sed", "sleep", "tail", "touch",
    ];

    public StandIn(bool withFlock = true, bool withDotnet = true)
    {
        Root = Directory.CreateTempSubdirectory("llmpipe-scripts-").FullName;
        foreach (var script in (string[])["llmpipe", "test.sh", ".ci/run"])
            Write(script, Repository.Read(script), executable: true);
        foreach (var file in (string[])["src/Cli/Cli.csproj", "src/Cli/Program.cs", "prompts/solve/skprompt.txt", "global.json", "docker-compose.yml", "LlmPipeline.sln"])
            Write(file, "");
        foreach (var tool in Tools.Where(tool => withFlock || tool != "flock"))
            Link(tool);
        foreach (var present in (string[])["redis-server", "docker-compose", "jq", "zsh", "fish"])
            Write($"tools/{present}", "#!/usr/bin/env bash\nexit 0\n", executable: true);
        // CALLS: the log of its calls; BUILD and TEST: what to do when asked to build (or publish, $* being the arguments) and to test.
        if (withDotnet)
            Write(
                "tools/dotnet",
                """
                #!/usr/bin/env bash
                echo "$1" >> "$CALLS"
                case $1 in
                  build) eval "${BUILD:-}" ;;
                  publish) eval "${BUILD:-}"; mkdir -p .build/program src/Cli/bin src/Cli/obj && touch .build/program/llmpipe.dll ;;
                  test) eval "${TEST:-}" ;;
                  format) ;;
                  *) shift; printf 'started in %s home=%s' "$PWD" "${DOTNET_CLI_HOME:-}"; printf ' [%s]' "$@"; echo ;;
                esac

                """,
                executable: true);
        foreach (var file in Directory.EnumerateFileSystemEntries(Root, "*", SearchOption.AllDirectories))
            File.SetLastWriteTimeUtc(file, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
    }

    public string Root { get; }

    /// <summary>How often the program was built.</summary>
    public int Builds => File.Exists(Calls) ? File.ReadLines(Calls).Count(call => call is "build" or "publish") : 0;

    private string Calls => Path.Join(Root, "calls");

    public Task<Shell.Ended> RunAsync(
        string script, IEnumerable<string>? arguments = null, string? folder = null, string? build = null, string? test = null, string? home = null, bool ci = false) =>
        Shell.RunAsync(
            Path.IsPathRooted(script) ? script : Path.Join(Root, script),
            arguments ?? [],
            folder ?? Root,
            new Dictionary<string, string?>
            {
                ["PATH"] = Path.Join(Root, "tools"),
                ["CALLS"] = Calls,
                ["BUILD"] = build,
                ["TEST"] = test,
                ["HOME"] = home ?? Root,
                ["DOTNET_CLI_HOME"] = null,
                ["CI"] = ci ? "true" : null,
            });

    public void Write(string path, string content, bool executable = false)
    {
        var full = Path.Join(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
        if (executable && !OperatingSystem.IsWindows())
            File.SetUnixFileMode(full, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private void Link(string tool)
    {
        var target = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Join(folder, tool)).FirstOrDefault(File.Exists);
        Directory.CreateDirectory(Path.Join(Root, "tools"));
        if (target is not null)
            File.CreateSymbolicLink(Path.Join(Root, "tools", tool), target);
    }
}
