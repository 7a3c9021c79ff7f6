namespace LlmPipeline;

/// <summary>Who may read the files that hold prompts and answers: <see cref="PrivateFiles"/>.</summary>
public sealed class KeepingFilesPrivate
{
    private const UnixFileMode File0600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Folder0700 = File0600 | UnixFileMode.UserExecute;
    private const UnixFileMode Open = Folder0700 | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    [Fact]
    public async Task The_files_of_the_gateway_are_0600_in_folders_that_are_0700()
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var house = await GatewayHouse.OpenAsync();
        using var desk = new GatewayDesk(house.Gateway);
        await house.Fleet.WorkAsync();

        var file = await desk.UploadAsync(desk.Lines(3, fails: n => n == 2));
        var folder = Path.GetDirectoryName(Assert.Single(Files(house)))!;
        // As a version has left it that did not ask for a mode.
        File.SetUnixFileMode(folder, Open);
        await desk.BecomesAsync((await desk.CreateAsync(file)).BatchId, "completed");

        Assert.Equal(3, Files(house).Length);
        Assert.All(Files(house), path => Assert.Equal(File0600, ModeOf(path)));
        Assert.All([house.Files, folder], path => Assert.Equal(Folder0700, ModeOf(path)));
    }

    [Fact]
    public async Task A_file_is_0600_while_it_is_written()
    {
        if (OperatingSystem.IsWindows())
            return;
        var path = Directory.CreateTempSubdirectory("llmpipe-test-").FullName;
        var folder = FileFolder.Open(Path.Join(path, "files"));
        try
        {
            await using var part = folder.Begin("owner", "file-1");

            Assert.Equal(File0600, ModeOf(Assert.Single(Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories))));
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }

    [Fact]
    public void The_checkpoint_of_a_run_is_0600()
    {
        if (OperatingSystem.IsWindows())
            return;
        var folder = Directory.CreateTempSubdirectory("llmpipe-test-").FullName;
        try
        {
            var paths = OutputPaths.For(null, Path.Join(folder, "out.jsonl"));
            using var partial = PartialFile.Lock(paths.Partial, new OutputDisk());

            Assert.Equal(File0600, ModeOf(paths.Partial));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static UnixFileMode ModeOf(string path) => OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(path);

    private static string[] Files(GatewayHouse house) => Directory.GetFiles(house.Files, "*", SearchOption.AllDirectories);
}
