using System.Reflection.PortableExecutable;

namespace LlmPipeline;

public sealed class StartingTheLauncher
{
    [Fact]
    public async Task The_first_call_builds_and_starts_with_the_arguments_as_they_were_typed()
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("llmpipe", ["run", "my file.jsonl", "--set", "a=$b", ""]);

        Assert.Equal(0, ended.ExitCode);
        Assert.EndsWith(" [run] [my file.jsonl] [--set] [a=$b] []\n", ended.Output);
        Assert.Equal("llmpipe: building llmpipe …\n", ended.Error);
        Assert.Equal(1, here.Builds);
    }

    [Fact]
    public async Task The_second_call_starts_the_program_directly()
    {
        using var here = new StandIn();
        await here.RunAsync("llmpipe");

        var ended = await here.RunAsync("llmpipe");

        Assert.Equal("", ended.Error);
        Assert.StartsWith("started", ended.Output);
        Assert.Equal(1, here.Builds);
    }

    [Theory]
    [InlineData("src/Cli/Program.cs")]
    [InlineData("src/PromptQueue/Scripts/claim.lua")]
    [InlineData("prompts/solve/skprompt.txt")]
    [InlineData("global.json")]
    public async Task A_changed_or_new_source_builds_again_once(string source)
    {
        using var here = new StandIn();
        await here.RunAsync("llmpipe");

        here.Write(source, "changed");
        await here.RunAsync("llmpipe");
        await here.RunAsync("llmpipe");

        Assert.Equal(2, here.Builds);
    }

    [Theory]
    [InlineData("src/Cli/obj/project.assets.json")]
    [InlineData("src/Cli/bin/Release/net10.0/llmpipe.deps.json")]
    [InlineData("prompts/samples/questions.jsonl")]
    [InlineData("tests/Some.cs")]
    public async Task What_is_no_source_builds_nothing(string file)
    {
        using var here = new StandIn();
        here.Write("prompts/samples/README.md", "");
        await here.RunAsync("llmpipe");

        here.Write(file, "changed");
        await here.RunAsync("llmpipe");

        Assert.Equal(1, here.Builds);
    }

    [Fact]
    public async Task A_source_that_is_edited_during_the_build_is_built_the_next_time()
    {
        using var here = new StandIn();
        await here.RunAsync("llmpipe", build: "touch src/Cli/Program.cs");

        await here.RunAsync("llmpipe");

        Assert.Equal(2, here.Builds);
    }

    [Fact]
    public async Task Through_a_symlink_it_keeps_the_callers_folder()
    {
        using var here = new StandIn();
        var elsewhere = Directory.CreateDirectory(Path.Join(here.Root, "else where")).FullName;
        File.CreateSymbolicLink(Path.Join(elsewhere, "first"), "../llmpipe");
        File.CreateSymbolicLink(Path.Join(elsewhere, "second"), Path.Join(elsewhere, "first"));

        var ended = await here.RunAsync(Path.Join(elsewhere, "second"), ["x"], elsewhere);

        Assert.Contains($"started in {elsewhere} home= [x]", ended.Output);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Four_first_calls_at_once_build_once(bool withFlock)
    {
        using var here = new StandIn(withFlock);

        var ended = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => here.RunAsync("llmpipe", build: "sleep 0.3")));

        Assert.All(ended, e => Assert.Equal(0, e.ExitCode));
        Assert.Equal(1, here.Builds);
    }

    [Fact]
    public async Task The_folder_lock_of_a_dead_process_does_not_count()
    {
        using var here = new StandIn(withFlock: false);
        // No process has a number this high.
        here.Write(".build/lock.d/pid", "99999999\n");

        Assert.Equal(0, (await here.RunAsync("llmpipe")).ExitCode);
        Assert.False(Directory.Exists(Path.Join(here.Root, ".build/lock.d")));
    }

    [Fact]
    public async Task A_build_server_that_stays_behind_does_not_hold_the_lock()
    {
        using var here = new StandIn();
        await here.RunAsync("llmpipe", build: "sleep 40 > /dev/null 2>&1 &");
        here.Write("src/Cli/Program.cs", "changed");
        var clock = System.Diagnostics.Stopwatch.StartNew();

        await here.RunAsync("llmpipe");

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"it waited {clock.Elapsed}");
    }

    [Fact]
    public async Task A_failed_build_shows_its_output_and_starts_nothing()
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("llmpipe", build: "echo 'Program.cs(1,1): error CS1002'; exit 1");

        Assert.Equal(1, ended.ExitCode);
        Assert.Equal("", ended.Output);
        Assert.Contains("error CS1002", ended.Error);
        Assert.EndsWith("llmpipe: the build failed\n", ended.Error);
    }

    [Fact]
    public async Task Where_no_native_code_can_be_compiled_it_builds_without()
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("llmpipe", build: "case $* in *ReadyToRun=false*) ;; *) echo 'error NU1101: no Crossgen2'; exit 1 ;; esac");

        Assert.Equal(0, ended.ExitCode);
        Assert.Equal("llmpipe: building llmpipe …\n", ended.Error);
        Assert.StartsWith("started", ended.Output);
        Assert.Equal(2, here.Builds);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task The_program_that_it_starts_is_native_code_for_a_quick_start()
    {
        var ended = await Shell.RunAsync(Path.Join(Repository.Root, "llmpipe"), ["--version"], Repository.Root, new Dictionary<string, string?>(), TimeSpan.FromMinutes(8));

        Assert.Equal("", ended.ExitCode == 0 ? "" : ended.Error);
        foreach (var assembly in (string[])["llmpipe", "LlmPipeline.PromptQueue", "StackExchange.Redis", "System.CommandLine"])
        {
            using var image = new PEReader(File.OpenRead(Path.Join(Repository.Root, ".build/program", $"{assembly}.dll")));
            Assert.True(image.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0, $"{assembly} is IL only");
        }
    }

    [Fact]
    public async Task Without_dotnet_it_says_which_SDK_is_needed()
    {
        using var here = new StandIn(withDotnet: false);

        var ended = await here.RunAsync("llmpipe");

        Assert.Equal(1, ended.ExitCode);
        Assert.Contains(".NET SDK 10.0 is needed", ended.Error);
        Assert.Single(ended.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task Where_HOME_is_not_there_dotnet_gets_another()
    {
        using var here = new StandIn();

        var ended = await here.RunAsync("llmpipe", home: "/nonexistent");

        Assert.Contains($"home={here.Root}/.build/home", ended.Output);
    }
}
