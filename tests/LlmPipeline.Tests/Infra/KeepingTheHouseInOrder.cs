using System.Text.RegularExpressions;

namespace LlmPipeline;

public sealed partial class KeepingTheHouseInOrder
{
    [Fact]
    public void No_source_file_is_longer_than_300_lines()
    {
        var long_ = Repository.Files("src", "*.cs").Where(file => Repository.Read(file).Count(c => c == '\n') > 300);

        Assert.Empty(long_);
    }

    [Fact]
    public void No_Lua_script_has_more_than_50_lines_of_code_and_each_is_headed_by_its_contract()
    {
        Assert.All(Repository.Files("src", "*.lua"), file =>
        {
            var lines = Repository.Read(file).Split('\n');
            Assert.True(lines.Count(line => line.Trim() is { Length: > 0 } code && !code.StartsWith("--", StringComparison.Ordinal)) <= 50, file);
            Assert.True(lines[0].StartsWith("--", StringComparison.Ordinal), file);
        });
    }

    [Fact]
    public void Every_namespace_of_the_sources_is_LlmPipeline()
    {
        var others = Repository.Files("src", "*.cs").Where(file => Namespace().Match(Repository.Read(file)) is { Success: true } match && match.Groups[1].Value != "LlmPipeline");

        Assert.Empty(others);
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = Repository.Read("LlmPipeline.sln").Replace('\\', '/');

        Assert.All(Repository.Files(".", "*.csproj"), project => Assert.Contains($"\"{project}\"", solution));
    }

    [Fact]
    public void The_links_between_the_documents_lead_somewhere()
    {
        foreach (var document in Repository.Files(".", "*.md"))
            foreach (Match link in Link().Matches(Repository.Read(document)))
            {
                var target = Path.Join(Repository.Root, Path.GetDirectoryName(document), Uri.UnescapeDataString(link.Groups[1].Value));
                Assert.True(Path.Exists(target), $"{document} links to {link.Groups[1].Value}");
            }
    }

    [Fact]
    public void The_Redis_of_docker_compose_loses_nothing_and_evicts_nothing()
    {
        var compose = Repository.Read("docker-compose.yml");

        Assert.Contains("redis-server --appendonly yes --appendfsync always --maxmemory-policy noeviction", compose);
        // docker-compose 1.29, which Debian ships, knows no top-level name.
        Assert.DoesNotContain(compose.Split('\n'), line => line.StartsWith("name:", StringComparison.Ordinal));
    }

    [Fact]
    public void The_scripts_can_be_executed_and_have_the_line_ends_of_their_systems()
    {
        foreach (var script in (string[])["llmpipe", "test.sh", ".ci/run"])
        {
            if (!OperatingSystem.IsWindows())
                Assert.True((File.GetUnixFileMode(Path.Join(Repository.Root, script)) & UnixFileMode.UserExecute) != 0, script);
            Assert.DoesNotContain('\r', Repository.Read(script));
        }
        Assert.DoesNotMatch("(?<!\r)\n", Repository.Read("llmpipe.cmd"));
    }

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    // Relative links only; the part behind # is a heading's matter.
    [GeneratedRegex(@"\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();
}
