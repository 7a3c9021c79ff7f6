namespace LlmPipeline;

/// <summary>Help: <see cref="RootHelp"/> and that of the commands; the version; completion in shells: <see cref="Completion"/>.</summary>
public sealed class ShowingHelp : IDisposable
{
    private static readonly string[] Commands =
    [
        "run", "submit", "work", "serve", "status", "workers", "results", "result", "cancel", "retry", "forget", "dead", "queues", "deployments",
        "doctor", "simulate", "completion", "init",
    ];

    private readonly Llmpipe _llmpipe = new();

    public void Dispose() => _llmpipe.Dispose();

    [Fact]
    public async Task The_help_is_one_screen_with_every_command_and_examples()
    {
        var (exitCode, output, error) = await _llmpipe.RunAsync("--help");

        Assert.Equal((0, ""), (exitCode, error));
        var lines = output.TrimEnd('\n').Split('\n');
        Assert.InRange(lines.Length, 10, 24);
        Assert.All(lines, line => Assert.InRange(line.Length, 0, 80));
        Assert.All(Commands, command => Assert.Matches($@"\b{command}\b", output));
        Assert.Contains("Examples:", output);
    }

    [Fact]
    public async Task A_command_has_its_own_help_with_examples_and_all_options()
    {
        var (exitCode, output, _) = await _llmpipe.RunAsync("run", "--help");

        Assert.Equal(0, exitCode);
        Assert.All((string[])["Examples:", "Exit codes:", "--check", "--no-progress", "-q, --quiet", "--budget <AMOUNT>", "--rpm <N>"], text => Assert.Contains(text, output));
    }

    [Theory]
    [InlineData("run")]
    [InlineData("submit")]
    [InlineData("results")]
    [InlineData("work")]
    [InlineData("dead")]
    public async Task The_help_of_a_command_has_lines_of_80_columns(string command)
    {
        var (_, output, _) = await _llmpipe.RunAsync(command, "--help");

        Assert.All(output.Split('\n'), line => Assert.InRange(line.TrimEnd().Length, 0, 80));
        // An example that is too long goes on with fewer spaces.
        var examples = output.Split("Examples:\n")[^1].Split('\n').TakeWhile(line => line.Trim().Length > 0);
        Assert.All(examples, line => Assert.StartsWith("    ", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_version_names_the_commit()
    {
        var (exitCode, output, _) = await _llmpipe.RunAsync("--version");

        Assert.Equal(0, exitCode);
        Assert.Matches(@"^\d+\.\d+\.\d+\+[0-9a-f]{40}\n$", output);
    }

    [Theory]
    [InlineData("llmpipe ru", "run")]
    [InlineData("./llmpipe run --pr", "--prompt")]
    [InlineData("/opt/a/llmpipe run in.txt --log-format ", "json text")]
    [InlineData("llmpipe dead r", "redrive")]
    [InlineData("llmpipe completion ", "bash fish powershell zsh")]
    [InlineData("llmpipe run in", "")]
    [InlineData("llmpipe run --nothing-begins-so", "")]
    public async Task A_shell_is_told_what_a_word_may_become(string line, string words)
    {
        var (exitCode, output, error) = await _llmpipe.RunAsync("[suggest]", line);

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Equal(words.Split(' ', StringSplitOptions.RemoveEmptyEntries), output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task Only_what_is_before_the_cursor_counts()
    {
        var (_, output, _) = await _llmpipe.RunAsync("[suggest:10]", "llmpipe ru --json");

        Assert.Equal("run\n", output);
    }

    [Fact]
    public async Task Bash_completes()
    {
        var said = await CompleteAsync(
            "bash",
            """
            source <(llmpipe completion bash)
            complete -p llmpipe | grep -q -- '-F _llmpipe' || exit 1
            for COMP_LINE in 'llmpipe ru' 'llmpipe run --ver' 'llmpipe run --bu'; do
              COMP_POINT=${#COMP_LINE}
              _llmpipe llmpipe
              echo "${COMPREPLY[@]}"
            done
            """);

        Assert.Equal("run\n\n--budget\n", said);
    }

    [Fact]
    public async Task Zsh_completes()
    {
        // The functions of its completion system, which need a terminal, are replaced.
        var said = await CompleteAsync(
            "zsh",
            """
            compdef() { print "$2" }
            compadd() { shift; print -l -- "$@" }
            _files() { print files }
            source <(llmpipe completion zsh)
            words=(llmpipe ru); CURRENT=2; _llmpipe
            words=(llmpipe run in); CURRENT=3; _llmpipe
            words=(llmpipe run --bu); CURRENT=3; _llmpipe
            """);

        Assert.Equal("llmpipe\nrun\nfiles\n--budget\n", said);
    }

    [Fact]
    public async Task Fish_completes()
    {
        var said = await CompleteAsync(
            "fish",
            """
            llmpipe completion fish | source
            complete -C 'llmpipe ru'
            complete -C 'llmpipe run --bu'
            """);

        Assert.Equal("run\n--budget\n", said);
    }

    [Theory]
    [InlineData("""{"Concurrency":"many"}""", "Concurrency: 'many' is not a whole number up to 2147483647")]
    [InlineData("""{"Concurrency":[8]}""", "Concurrency: is an object or a list, and not a whole number up to 2147483647")]
    [InlineData("""{"AttemptTimeout":"soon"}""", "AttemptTimeout: 'soon' is not a time: a number of seconds, or hours:minutes:seconds such as 00:10:00")]
    [InlineData("""{"EstimateUsage":"perhaps"}""", "EstimateUsage: 'perhaps' is not true or false")]
    [InlineData("""{"MaxMemoryShare":"half"}""", "MaxMemoryShare: 'half' is not a number")]
    [InlineData("""{"Deployments":"main"}""", "Deployments: 'main' is not a list, in square brackets")]
    [InlineData("""{"Deployments":[{"Kind":"Claude"}]}""", "Deployments:0:Kind: 'Claude' is not one of OpenAI, AzureOpenAI")]
    [InlineData("""{"Deployments":[{},{"RequestsPerMinute":"all"}]}""", "Deployments:1:RequestsPerMinute: 'all' is not a whole number up to 2147483647")]
    [InlineData("""{"Deployments":[{"Nam":"main"}]}""", "there is no such setting: Nam")]
    public void A_setting_of_the_wrong_type_is_named_with_what_is_allowed(string settings, string said)
    {
        _llmpipe.Write("s.json", settings);

        var thrown = Assert.Throws<CliException>(() => Settings.Load(_llmpipe.PathOf("s.json")));

        Assert.Equal($"{_llmpipe.PathOf("s.json")}: {said}", thrown.Message);
    }

    private async Task<string> CompleteAsync(string shell, string script)
    {
        _llmpipe.Write("script", script);
        var environment = new Dictionary<string, string?> { ["PATH"] = _llmpipe.AsCommand(), ["HOME"] = _llmpipe.Folder };
        var ended = await Shell.RunAsync(shell, ["script"], _llmpipe.Folder, environment, TimeSpan.FromMinutes(2));
        Assert.True(ended.ExitCode == 0, ended.Error);
        return ended.Output;
    }
}
