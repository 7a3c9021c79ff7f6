using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using OpenAI.Files;

namespace LlmPipeline;

public sealed class UploadingFiles(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    // Azure.AI.OpenAI 2.1.0 ends with a NullReferenceException when expires_at is null; a null of status_details it takes.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_time_that_a_file_does_not_have_is_left_out(bool expires)
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var file = new ByteArrayContent("x"u8.ToArray());
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" }, { file, "file", "in.jsonl" } };
        if (expires)
        {
            form.Add(new StringContent("created_at"), "expires_after[anchor]");
            form.Add(new StringContent("3600"), "expires_after[seconds]");
        }

        using var answer = await desk.Http.PostAsync(Path, form);
        var uploaded = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!.AsObject();
        var read = await desk.GetAsync($"v1/files/{uploaded["id"]}");
        var listed = (await desk.GetAsync("v1/files"))["data"]!.AsArray().Single(each => (string?)each!["id"] == (string?)uploaded["id"])!;

        Assert.All([uploaded, read.AsObject(), listed.AsObject()], body => Assert.Equal(expires, body.ContainsKey("expires_at")));
    }

    private const string Path = "v1/files";

    [Fact]
    public async Task A_file_comes_back_byte_for_byte_under_the_name_that_it_had()
    {
        using var desk = new GatewayDesk(house.Gateway);
        var bytes = new byte[300_000];
        new Random(7).NextBytes(bytes);

        var file = (await desk.Files.UploadFileAsync(BinaryData.FromBytes(bytes), "größe — 1.jsonl", FileUploadPurpose.Batch)).Value;
        var read = (await desk.Files.DownloadFileAsync(file.Id)).Value.ToArray();
        var looked = (await desk.Files.GetFileAsync(file.Id)).Value;

        Assert.Equal(bytes, read);
        Assert.Equal(("größe — 1.jsonl", bytes.Length, FilePurpose.Batch), (looked.Filename, looked.SizeInBytes!.Value, looked.Purpose));
        Assert.Equal(file.CreatedAt, looked.CreatedAt);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_purpose_may_come_before_the_file_or_after_it(bool first)
    {
        using var desk = new GatewayDesk(house.Gateway);
        var file = new ByteArrayContent("a line\n"u8.ToArray());
        using var form = first ? new MultipartFormDataContent { { new StringContent("batch"), "purpose" }, { file, "file", "in.jsonl" } }
            : new MultipartFormDataContent { { file, "file", "in.jsonl" }, { new StringContent("batch"), "purpose" } };

        using var answer = await desk.Http.PostAsync(Path, form);
        var made = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(("file", 7, "in.jsonl", "batch", "processed"), ((string?)made["object"], (int)made["bytes"]!, (string?)made["filename"], (string?)made["purpose"], (string?)made["status"]));
        Assert.True(made.AsObject().ContainsKey("status_details"));
    }

    [Theory]
    [InlineData("../../../../tmp/evil.jsonl")]
    [InlineData("/etc/passwd")]
    [InlineData("..\\..\\evil.jsonl")]
    [InlineData("%2e%2e%2fevil")]
    public async Task A_file_name_is_data_and_never_a_path(string name)
    {
        using var desk = new GatewayDesk(house.Gateway);

        var id = await desk.UploadAsync("text", name);

        Assert.Equal(name, (string?)(await desk.GetAsync($"{Path}/{id}"))["filename"]);
        Assert.Equal("text", Encoding.UTF8.GetString((await desk.Files.DownloadFileAsync(id)).Value));
        Assert.Contains(Directory.EnumerateFiles(house.Files, "*", SearchOption.AllDirectories), path => path.EndsWith($"{id}.jsonl"));
    }

    [Fact]
    public async Task A_file_that_is_to_expire_says_when_and_is_gone_then()
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var form = Form("x", ("purpose", "batch"), ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600"));
        using var answer = await desk.Http.PostAsync(Path, form);
        var made = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        var id = (string)made["id"]!;
        Assert.Equal((long)made["created_at"]! + 3600, (long)made["expires_at"]!);

        await house.ExpireFileAsync(id);

        Assert.Equal(404, (await desk.RefusedAsync(HttpMethod.Get, $"{Path}/{id}")).Status);
        // Another gateway tidies up when it starts.
        await house.StartAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(!house.Holds(id)), "the file is gone from the folder");
    }

    [Fact]
    public async Task A_list_pages_in_both_orders_and_by_purpose()
    {
        using var desk = new GatewayDesk(house.Gateway, GatewayHouse.OtherKey);
        var made = new List<string>();
        for (var n = 0; n < 5; n++)
            made.Add(await desk.UploadAsync($"{n}"));

        var newest = await desk.GetAsync($"{Path}?limit=3");
        var older = await desk.GetAsync($"{Path}?limit=3&after={newest["last_id"]}&purpose=batch");
        var oldest = await desk.GetAsync($"{Path}?limit=2&order=asc");
        var outputs = await desk.GetAsync($"{Path}?purpose=batch_output");
        var all = (await desk.Files.GetFilesAsync()).Value;

        Assert.Equal([made[4], made[3], made[2]], newest["data"]!.AsArray().Select(f => (string)f!["id"]!));
        Assert.Equal([made[1], made[0]], older["data"]!.AsArray().Select(f => (string)f!["id"]!));
        Assert.Equal([made[0], made[1]], oldest["data"]!.AsArray().Select(f => (string)f!["id"]!));
        Assert.Equal((true, false, true), ((bool)newest["has_more"]!, (bool)older["has_more"]!, (bool)oldest["has_more"]!));
        Assert.Empty(outputs["data"]!.AsArray());
        Assert.Equal(made.Order(), all.Select(f => f.Id).Order());
        foreach (var wrong in (string[])["limit=0", "limit=10001", "limit=x", "order=up", "after=file-1"])
            Assert.Equal((400, "invalid_request_error", wrong.Split('=')[0]), await Refusal(desk.RefusedAsync(HttpMethod.Get, $"{Path}?{wrong}")));
    }

    [Fact]
    public async Task A_deleted_file_is_gone()
    {
        using var desk = new GatewayDesk(house.Gateway);
        var id = await desk.UploadAsync("text");

        var deleted = (await desk.Files.DeleteFileAsync(id)).Value;

        Assert.Equal((id, true), (deleted.FileId, deleted.Deleted));
        Assert.False(house.Holds(id));
        foreach (var (method, path) in new[] { (HttpMethod.Get, $"{Path}/{id}"), (HttpMethod.Get, $"{Path}/{id}/content"), (HttpMethod.Delete, $"{Path}/{id}") })
            Assert.Equal((404, "invalid_request_error", "id"), await Refusal(desk.RefusedAsync(method, path)));
    }

    [Fact]
    public async Task A_form_with_something_missing_or_wrong_is_refused_by_name_and_leaves_nothing()
    {
        using var desk = new GatewayDesk(house.Gateway);
        foreach (var (form, param) in new (MultipartFormDataContent, string?)[]
        {
            (Form("x"), "purpose"),
            (Form("x", ("purpose", "fine-tune")), "purpose"),
            (new MultipartFormDataContent { { new StringContent("batch"), "purpose" } }, "file"),
            (Form("x", ("purpose", "batch"), ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3599")), "expires_after[seconds]"),
            (Form("x", ("purpose", "batch"), ("expires_after[anchor]", "now"), ("expires_after[seconds]", "3600")), "expires_after[anchor]"),
            (Form("x", ("purpose", "batch"), ("note", new string('n', 10_000))), "note"),
        })
        {
            using (form)
                Assert.Equal((400, "invalid_request_error", param), await Refusal(desk.RefusedAsync(HttpMethod.Post, Path, form)));
        }

        Assert.Empty(house.Parts());
    }

    [Theory]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nnever ends")]
    [InlineData("multipart/form-data; boundary=b", "no boundary at all")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nno head\r\n\r\nx\r\n--b--\r\n")]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nX: y\r\n\r\nx\r\n--b--\r\n")]
    [InlineData("multipart/form-data", "--b--\r\n")]
    [InlineData("multipart/form-data; boundary=b", "")]
    [InlineData("application/json", "{}")]
    public async Task A_malformed_body_is_refused_and_the_gateway_lives(string type, string body)
    {
        using var desk = new GatewayDesk(house.Gateway);
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);

        var refused = await desk.RefusedAsync(HttpMethod.Post, Path, content);

        Assert.Equal((400, "invalid_request_error"), (refused.Status, refused.Type));
        Assert.Equal("ok", (string?)(await desk.GetAsync("health"))["status"]);
    }

    [Fact]
    public async Task A_form_of_endless_parts_is_refused()
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var form = Form("x", [("purpose", "batch"), .. Enumerable.Range(1, 19).Select(n => ($"field-{n}", "x"))]);

        Assert.Contains("more than 20 parts", (await desk.RefusedAsync(HttpMethod.Post, Path, form)).Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_file_that_is_too_large_is_refused_whether_its_length_is_told_or_not(bool chunked)
    {
        using var desk = new GatewayDesk(await house.StartAsync("MaxFileBytes=100000"));
        // Much more than lies in buffers on the way: the client is still sending when it is refused.
        using var form = Form(new string('x', 50_000_000), ("purpose", "batch"));
        using var request = new HttpRequestMessage(HttpMethod.Post, Path) { Content = form };
        request.Headers.TransferEncodingChunked = chunked;

        using var answer = await desk.Http.SendAsync(request);
        var refused = await GatewayDesk.ErrorAsync(answer);

        Assert.Equal((413, "request_too_large"), (refused.Status, refused.Code));
        Assert.Empty(house.Parts());
    }

    [Fact, Trait("Category", "Slow")]
    public async Task Who_sends_a_byte_now_and_then_is_cut_off_and_keeps_nobody_waiting()
    {
        using var desk = new GatewayDesk(house.Gateway);
        var head = $"POST /v1/files HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {GatewayHouse.Key}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
            + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"slow.jsonl\"\r\n\r\n";
        var slow = await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ =>
        {
            var client = new TcpClient();
            await client.ConnectAsync(house.Gateway.Address.Host, house.Gateway.Address.Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head));
            return client;
        }));

        Assert.Equal(HttpStatusCode.OK, (await desk.Http.GetAsync("health")).StatusCode);
        foreach (var client in slow)
        {
            using (client)
            using (var reader = new StreamReader(client.GetStream()))
                Assert.StartsWith("HTTP/1.1 408", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)));
        }

        await Eventually.HoldsAsync(() => Task.FromResult(!house.Parts().Any()), "nothing is left of the uploads");
    }

    [Fact]
    public async Task What_a_killed_gateway_leaves_of_an_upload_is_removed()
    {
        var gateway = await house.StartAsync();
        using var desk = new GatewayDesk(gateway);
        using var endless = new EndlessContent();
        var uploading = desk.Http.PostAsync(Path, endless);
        await Eventually.HoldsAsync(() => Task.FromResult(house.Parts().Any(part => new FileInfo(part).Length > 100_000)), "the upload is on the disk");

        gateway.Process.Kill();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => uploading);
        Assert.NotEmpty(house.Parts());
        var tidy = await house.StartAsync("UploadTimeout=0.5");

        await Eventually.HoldsAsync(() => Task.FromResult(!house.Parts().Any()), "nothing is left");
        // It has little patience with the uploads of other tests.
        tidy.Process.Kill();
    }

    [Fact, Trait("Category", "Slow")]
    public async Task An_upload_that_only_drips_is_cut_off()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(house.Gateway.Address.Host, house.Gateway.Address.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /{Path} HTTP/1.1\r\nHost: {house.Gateway.Address.Authority}\r\nAuthorization: Bearer {GatewayHouse.Key}\r\n" +
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n"));

        using var reader = new StreamReader(stream, Encoding.ASCII);
        var status = await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal("HTTP/1.1 408 Request Timeout", status);
        Assert.Empty(house.Parts());
    }

    private static MultipartFormDataContent Form(string file, params (string Name, string Value)[] fields)
    {
        var form = new MultipartFormDataContent();
        foreach (var (name, value) in fields)
            form.Add(new StringContent(value), name);
        form.Add(new ByteArrayContent(Encoding.UTF8.GetBytes(file)), "file", "in.jsonl");
        return form;
    }

    private static async Task<(int Status, string? Type, string? Param)> Refusal(Task<(int Status, string? Type, string? Code, string? Param, string Message)> refused)
    {
        var error = await refused;
        return (error.Status, error.Type, error.Param);
    }

    /// <summary>An upload that never ends by itself.</summary>
    private sealed class EndlessContent : HttpContent
    {
        public EndlessContent() => Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n"u8.ToArray());
            for (var block = new byte[16_384]; ; await Task.Delay(1))
                await stream.WriteAsync(block);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
